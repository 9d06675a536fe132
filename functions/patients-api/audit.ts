/**
 * The audit trail: who read whose data, who changed what, who was refused. Each request below /api writes one log line of
 * ids. The line of a change comes from the entry that was written in the same transaction. No line contains the search
 * term, the path or values.
 */
import type { MiddlewareHandler } from 'hono';
import type { PatientId } from '../../shared/patient/schema.ts';
import { ServiceError } from '../../shared/platform/errors.ts';
import { errorFields } from '../../shared/platform/log.ts';
import {
  logAuditEntry,
  removeAuditEntry,
  type AuditEntry,
  type Author,
} from '../../shared/store/audit-trail.ts';
import type { Call, Dependencies } from './route.ts';

export function authorOf(call: Call): Author {
  const { role } = call.get('caller');
  if (role === undefined) throw new ServiceError('auth.forbidden');
  return { ...call.get('acting'), role, method: call.req.method, route: call.get('route') };
}

/** Records whose data the response contains. The patient in the path is recorded already. */
export function noteSubjects(call: Call, ids: readonly PatientId[]): void {
  call.set('subjects', ids);
}

/** Logs the entry of a committed change, if there was one. The response does not wait until the entry is removed. */
export function logChange(call: Call, { db, log }: Dependencies, entry: AuditEntry | undefined): void {
  if (entry === undefined) return;
  logAuditEntry(log, entry);
  call.set('isChangeLogged', true);
  removeAuditEntry(db, entry).catch((error: unknown) =>
    log.warn('Audit entry not removed, so the worker will log it again', errorFields(error)),
  );
}

/**
 * Passes the audit entry of each response to the request's log line (observe.ts), unless its change is already logged or the
 * route returns no personal data.
 */
export function auditAnswers(): MiddlewareHandler {
  return async (call: Call, next) => {
    await next();
    const { status } = call.res;
    if (status < 400 && (call.get('isChangeLogged') || call.get('isImpersonal'))) return;
    const caller = call.get('caller');
    const acting = call.get('acting') ?? (caller === undefined ? {} : { actor: caller.subject });
    call.set('audit', {
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
