/**
 * Listens to a query for as long as it is asked to. A listener only wakes: what is to be done is read by its
 * receiver, so that a lost or doubled notification costs time at most.
 */
import type { Query, QuerySnapshot } from '@google-cloud/firestore';
import { delayAfter, pauseFor } from '../../../shared/kafka/backoff.ts';
import { errorFields, type Log } from '../../../shared/platform/log.ts';

const BACKOFF = { firstMs: 500, lastMs: 15_000 };

/** Tells `seen` of the query's first result and of each change, until the signal is given. */
export async function listen(
  query: Query,
  seen: (result: QuerySnapshot) => void,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    const error = await new Promise<unknown>((resolve) => {
      const unsubscribe = query.onSnapshot((result) => {
        failures = 0;
        seen(result);
      }, end);
      function end(error: unknown): void {
        unsubscribe();
        signal.removeEventListener('abort', end);
        resolve(error);
      }
      signal.addEventListener('abort', end);
    });
    if (signal.aborted) return;
    failures += 1;
    log.warn('A listener on the outbox ended and is begun anew', {
      attempt: failures,
      ...errorFields(error),
    });
    await pauseFor(delayAfter(failures, BACKOFF), signal);
  }
}
