/**
 * Logs the audit entries of changes whose process died before it could, and removes them. The one that made a change
 * logs its entry at once, so that normally there is nothing here.
 */
import type { Firestore } from '@google-cloud/firestore';
import { pauseFor } from '../../../shared/platform/backoff.ts';
import type { Clock } from '../../../shared/platform/clock.ts';
import { errorFields, type Log } from '../../../shared/platform/log.ts';
import { logAuditEntry, readAuditTrail, removeAuditEntries } from '../../../shared/store/audit-trail.ts';
import type { Term } from './leadership.ts';

/**
 * Longer than a change may take whose answer was lost: its process needs the entry to know what it did, and logs it.
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
