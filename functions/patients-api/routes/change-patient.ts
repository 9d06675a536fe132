/** PATCH and PUT /api/patients/{id}: both apply the fields that the body names. */
import { changePatient } from '../../../shared/patient/change.ts';
import { patchSchema } from '../../../shared/patient/schema.ts';
import { berlinDateOf } from '../../../shared/platform/clock.ts';
import { updatePatient } from '../../../shared/store/patients.ts';
import { authorOf, logChange } from '../audit.ts';
import { requireMatch } from '../entity-tag.ts';
import { readPatientId } from '../parameters.ts';
import { answerPatient, validFields } from '../patient-body.ts';
import { readJsonBody } from '../request-body.ts';
import type { Method, Route } from '../route.ts';

export const patchPatientRoute = changeRoute('PATCH', 'Change fields of a patient');
export const putPatientRoute = changeRoute('PUT', 'Change fields of a patient, as PATCH does');

function changeRoute(method: Method, summary: string): Route {
  return {
    method,
    path: '/api/patients/{id}',
    role: 'staff',
    summary,
    requestHeaders: ['If-Match'],
    body: { schema: 'PatientPatch', required: true },
    answers: { 200: { description: 'The patient after the change', schema: 'Patient', headers: ['ETag'] } },
    problems: [
      'patient.invalid',
      'patient.not_found',
      'patient.reference_taken',
      'request.precondition_failed',
    ],
    async handle(call, deps) {
      const now = deps.clock();
      const id = readPatientId(call);
      const { json } = await readJsonBody(call.req.raw);
      const patch = validFields(patchSchema, json, berlinDateOf(now));
      const { stored, audit } = await updatePatient(deps.db, id, now, authorOf(call), (before) => {
        requireMatch(call.req.header('if-match'), before.sequence);
        return changePatient(before.patient, patch, now);
      });
      logChange(call, deps, audit);
      return answerPatient(call, stored);
    },
  };
}
