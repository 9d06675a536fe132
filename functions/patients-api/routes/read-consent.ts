/** GET /api/patients/{id}/consent: the consent that the person gave with the registration, as stored. */
import { ServiceError } from '../../../shared/platform/errors.ts';
import { readConsent } from '../../../shared/store/consents.ts';
import { readPatient } from '../../../shared/store/patients.ts';
import { readPatientId } from '../parameters.ts';
import type { Route } from '../route.ts';

export const readConsentRoute: Route = {
  method: 'GET',
  path: '/api/patients/{id}/consent',
  role: 'staff',
  summary: 'Read the consent that a patient gave with the registration',
  answers: { 200: { description: 'The consent', schema: 'Consent' } },
  problems: ['patient.not_found', 'patient.no_consent'],
  async handle(call, { db }) {
    const id = readPatientId(call);
    const [consent] = await Promise.all([readConsent(db, id), readPatient(db, id)]);
    if (consent === undefined) throw new ServiceError('patient.no_consent');
    return call.json(consent);
  },
};
