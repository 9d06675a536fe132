/** PATCH /api/patients/{id}/last-contact: notes a contact; an earlier one than the stored changes nothing. */
import { recordContact } from '../../../shared/patient/change.ts';
import { violationsOf } from '../../../shared/patient/read.ts';
import { berlinDateOf, type BerlinDate } from '../../../shared/platform/clock.ts';
import { ServiceError } from '../../../shared/platform/errors.ts';
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
  summary: 'Note a contact with a patient',
  body: { schema: 'NewContact', required: false },
  answers: { 200: { description: 'The date of the last contact', schema: 'LastContact' } },
  problems: ['patient.invalid', 'patient.not_found'],
  async handle(call, deps) {
    const now = deps.clock();
    const id = readPatientId(call);
    const { json } = await readOptionalJsonBody(call.req.raw);
    const date = readDate(json, berlinDateOf(now));
    const { stored, audit } = await updatePatient(deps.db, id, now, authorOf(call), (before) =>
      recordContact(before.patient, date, now),
    );
    logChange(deps, audit);
    return call.json({ letzter_kontakt: stored.patient.letzter_kontakt });
  },
};

function readDate(json: unknown, today: BerlinDate): BerlinDate {
  const parsed = lastContactSchema.safeParse(json);
  if (!parsed.success) {
    throw new ServiceError('patient.invalid', { violations: violationsOf(parsed.error) });
  }
  const date = parsed.data.date ?? today;
  if (date <= today) return date;
  throw new ServiceError('patient.invalid', {
    violations: [{ pointer: '/date', detail: 'must not be in the future' }],
  });
}
