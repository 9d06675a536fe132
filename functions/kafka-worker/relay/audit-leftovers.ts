/**
 * Logs and removes the audit entries of changes whose process died before it could do so. Normally there are none: the
 * process that makes a change logs its entry at once.
 */
import type { Firestore } from '@google-cloud/firestore';
import { pauseFor } from '../../../shared/platform/backoff.ts';
import type { Clock } from '../../../shared/platform/clock.ts';
import { errorFields, type Log } from '../../../shared/platform/log.ts';
import { logAuditEntry, readAuditTrail, removeAuditEntries } from '../../../shared/store/audit-trail.ts';
import type { Term } from './leadership.ts';

/**
 * Longer than a change may take. When the answer to its commit is lost, the process reads the entry to learn whether the
 * commit succeeded, and then logs it itself.
 */
const LEFT_AFTER = { seconds: 90 };
const LOOK_EVERY_MS = 30_000;

/** Runs until the term is over. */
export async function logAuditLeftovers(
  { db, clock, log }: { readonly db: Firestore; readonly clock: Clock; readonly log: Log },
  term: Term,
  lookEveryMs = LOOK_EVERY_MS,
): Promise<void> {
  while (!term.signal.aborted) {
    try {
      const left = await readAuditTrail(db, clock().subtract(LEFT_AFTER));
      for (const entry of left) logAuditEntry(log, entry);
      await removeAuditEntries(db, left);
      if (left.length > 0) continue;
    } catch (error) {
      log.warn('The audit trail is read again later', errorFields(error));
    }
    await pauseFor(lookEveryMs, term.signal);
  }
}
