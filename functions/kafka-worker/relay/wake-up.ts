/**
 * Listens to a query for as long as it is asked to. A listener wakes: its receiver reads what is to be done, or
 * knows by itself that what the listener saw comes next. So a lost or doubled notification costs time at most.
 */
import type { Query, QuerySnapshot } from '@google-cloud/firestore';
import { delayAfter, pauseFor } from '../../../shared/platform/backoff.ts';
import { errorFields, type Log } from '../../../shared/platform/log.ts';
import type { Backlog } from './backlog.ts';

const BACKOFF = { firstMs: 500, lastMs: 15_000 };

/** What is written while a listener begins can escape it (docs/emulators.md). */
const LOOK_AGAIN_MS = 1_000;

/**
 * Tells `seen` of the query's first result and of each change while there is no backlog, until the signal is given.
 * @param lookAgain called once, a moment after a listener began
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
    log.warn('A listener on the outbox ended and is begun anew', {
      attempt: failures,
      ...errorFields(error),
    });
    await pauseFor(delayAfter(failures, BACKOFF), signal);
  }
}

/** Listens until the signal is given, or until Firestore ends the listener: then resolves with its error. */
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
