/**
 * DELETE /api/patients/{id}: erases the person (docs/domain.md#erasure-and-retention). Responds when no data of the
 * person is left.
 */
import { erasePatient } from '../../../shared/registration/erase-patient.ts';
import { authorOf } from '../audit.ts';
import { readPatientId } from '../parameters.ts';
import type { Route } from '../route.ts';

export const erasePatientRoute: Route = {
  method: 'DELETE',
  path: '/api/patients/{id}',
  role: 'admin',
  summary: 'Erase a patient',
  answers: { 204: { description: 'No data of the person is left' } },
  problems: ['patient.not_found', 'storage.unavailable'],
  async handle(call, deps) {
    const options = { by: authorOf(call) };
    await erasePatient(deps, readPatientId(call), options, () => call.set('isChangeLogged', true));
    return call.body(null, 204);
  },
};
