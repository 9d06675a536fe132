/** POST /api/patients: registers a patient. Sends no mail. With an `Idempotency-Key` the request is safe to repeat. */
import { newPatientSchema } from '../../../shared/patient/schema.ts';
import { berlinDateOf } from '../../../shared/platform/clock.ts';
import { idempotentRequest } from '../../../shared/store/idempotency-keys.ts';
import { createPatient } from '../../../shared/store/patient-creation.ts';
import { authorOf, logChange } from '../audit.ts';
import { readIdempotencyKey } from '../parameters.ts';
import { answerPatient, validFields } from '../patient-body.ts';
import { readJsonBody } from '../request-body.ts';
import type { Route } from '../route.ts';

export const createPatientRoute: Route = {
  method: 'POST',
  path: '/api/patients',
  role: 'staff',
  summary: 'Register a patient',
  requestHeaders: ['Idempotency-Key'],
  body: { schema: 'NewPatient', required: true },
  answers: { 201: { description: 'The new patient', schema: 'Patient', headers: ['Location', 'ETag'] } },
  problems: [
    'patient.invalid',
    'patient.reference_taken',
    'request.idempotency_key_reused',
    'request.idempotent_patient_erased',
    'request.invalid_parameter',
    'storage.unavailable',
    'store.fenced',
  ],
  async handle(call, deps) {
    const now = deps.clock();
    const key = readIdempotencyKey(call);
    const { bytes, json } = await readJsonBody(call.req.raw);
    const input = validFields(newPatientSchema, json, berlinDateOf(now));
    const author = authorOf(call);
    const request = key === undefined ? undefined : idempotentRequest(call.get('caller').subject, key, bytes);
    const { stored, audit } = await createPatient(
      deps.db,
      deps.allocatePatientId,
      input,
      request,
      now,
      author,
    );
    logChange(call, deps, audit);
    call.header('location', `/api/patients/${stored.patient.id}`);
    return answerPatient(call, stored, 201);
  },
};
