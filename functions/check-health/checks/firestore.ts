/** Whether the database answers. */
import type { Facts } from '../facts.ts';
import { faultOf } from '../reading.ts';
import { unanswered, verdict, type Check } from './check.ts';

export type FirestoreCheck = Check<{ readonly reachable: boolean }>;

/** Reachable as long as one of several reads is answered; one alone may be slow for reasons of its own. */
export function judgeFirestore({ imports, outbox, worker }: Facts): FirestoreCheck {
  const reachable = [imports, outbox, worker].some((reading) => 'value' in reading);
  return verdict({ reachable }, [
    reachable ? undefined : unanswered('unhealthy', 'Firestore does not answer', faultOf(worker)),
  ]);
}
