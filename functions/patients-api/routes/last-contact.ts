/**
 * PATCH /api/patients/{id}/last-contact: records a contact. A date earlier than the stored one changes nothing, unless an
 * admin corrects the date.
 */
import { correctContact, recordContact } from '../../../shared/patient/change.ts';
import { isRecord, violationsOf } from '../../../shared/patient/read.ts';
import { requireRole } from '../../../shared/platform/auth.ts';
import { berlinDateOf, type BerlinDate } from '../../../shared/platform/clock.ts';
import { ServiceError, type Violation } from '../../../shared/platform/errors.ts';
import { updatePatient } from '../../../shared/store/patients.ts';
import { authorOf, logChange } from '../audit.ts';
import { readPatientId } from '../parameters.ts';
import { readOptionalJsonBody } from '../request-body.ts';
import type { Route } from '../route.ts';
import { lastContactSchema } from '../schemas.ts';

export const lastContactRoute: Route = {
  method: 'PATCH',
  path: '/api/patients/{id}/last-contact',
  role: 'staff',
  summary: 'Record a contact with a patient, or correct the date of the last one (admin)',
  body: { schema: 'NewContact', required: false },
  answers: { 200: { description: 'The date of the last contact', schema: 'LastContact' } },
  problems: ['patient.invalid', 'patient.not_found'],
  async handle(call, deps) {
    const now = deps.clock();
    const id = readPatientId(call);
    const { json } = await readOptionalJsonBody(call.req.raw);
    if (isRecord(json) && json['correct'] === true) requireRole(call.get('caller'), 'admin');
    const { date, correct } = readContact(json, berlinDateOf(now));
    const change = correct ? correctContact : recordContact;
    const { stored, audit } = await updatePatient(deps.db, id, now, authorOf(call), (before) =>
      change(before.patient, date, now),
    );
    logChange(call, deps, audit);
    return call.json({ letzter_kontakt: stored.patient.letzter_kontakt });
  },
};

function readContact(json: unknown, today: BerlinDate): { date: BerlinDate; correct: boolean } {
  const parsed = lastContactSchema.safeParse(json);
  if (!parsed.success) throw invalid(violationsOf(parsed.error));
  const { date = today, correct = false } = parsed.data;
  if (correct && parsed.data.date === undefined) {
    throw invalid([{ pointer: '/date', detail: 'is required for a correction' }]);
  }
  if (date > today) throw invalid([{ pointer: '/date', detail: 'must not be in the future' }]);
  return { date, correct };
}

function invalid(violations: readonly Violation[]): ServiceError {
  return new ServiceError('patient.invalid', { violations });
}
