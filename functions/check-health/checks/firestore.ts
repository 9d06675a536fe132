/** Checks whether Firestore responds. */
import type { Facts } from '../facts.ts';
import { faultOf } from '../reading.ts';
import { unanswered, verdict, type Check } from './check.ts';

/** As `/health` answers it. */
export type FirestoreCheck = Check<{ readonly reachable: boolean }>;

/** Firestore is reachable if one of several reads succeeded. A single read may be slow for other reasons. */
export function judgeFirestore({ imports, outbox, worker }: Facts): FirestoreCheck {
  const reachable = [imports, outbox, worker].some((reading) => 'value' in reading);
  return verdict({ reachable }, [
    reachable
      ? undefined
      : unanswered('unhealthy', 'health-unreachable', 'Firestore does not respond', faultOf(worker)),
  ]);
}
