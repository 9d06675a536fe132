/**
 * The leader's side of the restore fence (shared/registration/restore-fence.ts). The leader raises the marks before it
 * sends anything, and then every minute: a copy of the database that is older than a minute is recognised as a copy.
 */
import { delayAfter, pauseFor } from '../../../shared/platform/backoff.ts';
import { isServiceError } from '../../../shared/platform/errors.ts';
import { errorFields, type Log } from '../../../shared/platform/log.ts';
import { measure } from '../../../shared/platform/metrics.ts';
import type { Term } from './leadership.ts';

/** @throws ServiceError `store.fenced`, `store.*`, `storage.unavailable` */
export type RaiseMarks = () => Promise<void>;

const EVERY_MS = 60_000;
const BACKOFF = { firstMs: 500, lastMs: 5_000 };

/** @returns true when the database may be published from, false when the term ended before */
export async function untilReleased(raiseMarks: RaiseMarks, term: Term, log: Log): Promise<boolean> {
  for (let failures = 0; term.isHeld();) {
    try {
      await raiseMarks();
      return term.isHeld();
    } catch (error) {
      failures += 1;
      if (failures === 1) reportRefusal(error, log);
      await pauseFor(delayAfter(failures, BACKOFF), term.signal);
    }
  }
  return false;
}

/** Raises the marks until the term is over, and once more then; ends the term when the database proves to be a copy. */
export async function keepMarks(
  raiseMarks: RaiseMarks,
  term: Term,
  log: Log,
  everyMs = EVERY_MS,
): Promise<void> {
  while (!term.signal.aborted) {
    await pauseFor(everyMs, term.signal);
    try {
      await raiseMarks();
    } catch (error) {
      reportRefusal(error, log);
      if (isServiceError(error, 'store.fenced')) term.resign();
    }
  }
}

function reportRefusal(error: unknown, log: Log): void {
  if (isServiceError(error, 'store.fenced')) {
    log.error('Nothing is sent: the database is a restored copy (docs/runbooks/restore.md)', {
      error_code: error.code,
      reason: error.message,
    });
  } else {
    log.warn('The marks of the restore fence cannot be raised', errorFields(error));
  }
  measure(log, 'errors', { error_code: isServiceError(error) ? error.code : 'internal' });
}
