/** The audit trail: who changed what, as a log line of ids and field names. */
import {
  logAuditEntry,
  newAuditEntry,
  removeAuditEntries,
  type AuditEntry,
  type Author,
} from '../../shared/store/audit-trail.ts';
import { errorFields } from '../../shared/platform/log.ts';
import type { PatientId } from '../../shared/patient/schema.ts';
import type { Call, Dependencies } from './route.ts';

export function authorOf(call: Call): Author {
  const { subject, role } = call.get('caller');
  return { actor: subject, role, method: call.req.method, route: call.get('route') };
}

/** Logs the entry of a change that was committed; undefined: nothing changed. The answer does not wait for the clean-up. */
export function logChange({ db, log }: Dependencies, entry: AuditEntry | undefined): void {
  if (entry === undefined) return;
  logAuditEntry(log, entry);
  removeAuditEntries(db, [entry]).catch((error: unknown) =>
    log.warn('An audit entry was not removed: the worker will log it once more', errorFields(error)),
  );
}

export function auditErasure(call: Call, { log }: Dependencies, id: PatientId): void {
  logAuditEntry(log, newAuditEntry(authorOf(call), id, []));
}
