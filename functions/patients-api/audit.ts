/**
 * The audit trail: who looked at whom, who changed what, who was refused. Each request below /api leaves one log line of
 * ids; a change has its line from the entry that was written with it, in the same transaction. The search term, the path
 * and the values are in none.
 */
import type { MiddlewareHandler } from 'hono';
import type { PatientId } from '../../shared/patient/schema.ts';
import { ServiceError } from '../../shared/platform/errors.ts';
import { errorFields, type Log } from '../../shared/platform/log.ts';
import {
  logAuditEntry,
  removeAuditEntries,
  type AuditEntry,
  type Author,
} from '../../shared/store/audit-trail.ts';
import type { Call, Dependencies } from './route.ts';

export function authorOf(call: Call): Author {
  const { role } = call.get('caller');
  if (role === undefined) throw new ServiceError('auth.forbidden');
  return { ...call.get('acting'), role, method: call.req.method, route: call.get('route') };
}

/** Notes whose data the answer holds. The path's own patient is noted already. */
export function noteSubjects(call: Call, ids: readonly PatientId[]): void {
  call.set('subjects', ids);
}

/** Logs the entry of a change that was committed; undefined: nothing changed. The answer does not wait for the clean-up. */
export function logChange(call: Call, { db, log }: Dependencies, entry: AuditEntry | undefined): void {
  if (entry === undefined) return;
  logAuditEntry(log, entry);
  call.set('isChangeLogged', true);
  removeAuditEntries(db, [entry]).catch((error: unknown) =>
    log.warn('An audit entry was not removed: the worker will log it once more', errorFields(error)),
  );
}

/** Logs each answer, unless its change is logged, or a route without personal data has answered. */
export function auditAnswers(log: Log): MiddlewareHandler {
  return async (call: Call, next) => {
    await next();
    const { status } = call.res;
    if (status < 400 && (call.get('isChangeLogged') || call.get('isImpersonal'))) return;
    const caller = call.get('caller');
    const acting = call.get('acting') ?? (caller === undefined ? {} : { actor: caller.subject });
    log.record('audit', {
      ...acting,
      ...(caller?.role === undefined ? {} : { role: caller.role }),
      method: call.req.method,
      route: call.get('route') ?? 'unmatched',
      outcome: status < 400 ? 'answered' : status < 500 ? 'refused' : 'failed',
      status,
      patient_ids: call.get('subjects') ?? [],
    });
  };
}
