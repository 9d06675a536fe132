/**
 * Listens to a query until the signal is given. A listener only wakes its receiver, which reads the work itself or checks
 * that the entries the listener saw come next. So a lost or doubled notification costs only time.
 */
import type { Query, QuerySnapshot } from '@google-cloud/firestore';
import { delayAfter, pauseFor } from '../../../shared/platform/backoff.ts';
import { errorFields, type Log } from '../../../shared/platform/log.ts';
import type { Backlog } from './backlog.ts';

const BACKOFF = { firstMs: 500, lastMs: 15_000 };

/** A listener can miss writes that happen while it starts (docs/emulators.md). */
const LOOK_AGAIN_MS = 1_000;

/**
 * While there is no backlog, calls `seen` with the query's first result and after each change, until the signal is given.
 * @param lookAgain called once, 1 s after a listener starts
 */
export async function listen(
  query: Query,
  seen: (result: QuerySnapshot) => void,
  lookAgain: () => void,
  backlog: Backlog,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  let failures = 0;
  const told = (result: QuerySnapshot) => {
    failures = 0;
    seen(result);
  };
  while (!signal.aborted) {
    const until = AbortSignal.any([signal, await backlog.calm()]);
    const error = await endOf(query, told, lookAgain, until);
    if (until.aborted) continue;
    failures += 1;
    log.warn('A listener on the outbox ended and is started again', {
      attempt: failures,
      ...errorFields(error),
    });
    await pauseFor(delayAfter(failures, BACKOFF), signal);
  }
}

/** Listens until the signal is given or Firestore ends the listener; resolves with Firestore's error in that case. */
function endOf(
  query: Query,
  seen: (result: QuerySnapshot) => void,
  lookAgain: () => void,
  signal: AbortSignal,
): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined);
    const unsubscribe = query.onSnapshot(seen, end);
    const timer = setTimeout(lookAgain, LOOK_AGAIN_MS);
    function end(error: unknown): void {
      unsubscribe();
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve(error);
    }
    signal.addEventListener('abort', end);
  });
}
