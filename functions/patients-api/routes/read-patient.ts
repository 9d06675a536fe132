/** GET /api/patients/{id}: one patient, or 304 when the caller has the current version. */
import { readPatient } from '../../../shared/store/patients.ts';
import { entityTag, isKnown } from '../entity-tag.ts';
import { readPatientId } from '../parameters.ts';
import { answerPatient } from '../patient-body.ts';
import type { Route } from '../route.ts';

export const readPatientRoute: Route = {
  method: 'GET',
  path: '/api/patients/{id}',
  role: 'reader',
  summary: 'Read a patient',
  requestHeaders: ['If-None-Match'],
  answers: {
    200: { description: 'The patient', schema: 'Patient', headers: ['ETag'] },
    304: { description: 'The caller has this version', headers: ['ETag'] },
  },
  problems: ['patient.not_found'],
  async handle(call, { db }) {
    const stored = await readPatient(db, readPatientId(call));
    if (!isKnown(call.req.header('if-none-match'), stored.sequence)) return answerPatient(call, stored);
    call.header('etag', entityTag(stored.sequence));
    return call.body(null, 304);
  },
};
