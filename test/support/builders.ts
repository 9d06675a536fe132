/** Invented persons and their registration files. All values that a test does not set are valid and constant. */
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Temporal } from 'temporal-polyfill';
import { registerPatient } from '../../shared/patient/change.ts';
import { readPatientFields } from '../../shared/patient/read.ts';
import { newPatientSchema, patientId, type NewPatient, type Patient } from '../../shared/patient/schema.ts';
import { berlinDateOf } from '../../shared/platform/clock.ts';

const fixture = readFileSync(new URL('../fixtures/registration-valid.json', import.meta.url), 'utf8');

export const AUTUMN = Temporal.Instant.from('2026-11-02T09:00:00Z');

interface RegistrationJson {
  patient_data: Record<string, unknown>;
  consent_metadata: Record<string, unknown>;
  registration_timestamp: string;
  registration_token: string;
  [key: string]: unknown;
}

export function aToken(): string {
  return randomBytes(16).toString('hex');
}

/** A registration as the website writes it. Token and address are unique, because one address gets few mails. */
export function aRegistration(
  patientData: Record<string, unknown> = {},
  rest: Record<string, unknown> = {},
): RegistrationJson {
  const registration = JSON.parse(fixture) as RegistrationJson;
  const token = aToken();
  return {
    ...registration,
    registration_token: token,
    ...rest,
    patient_data: {
      ...registration.patient_data,
      email: `lena.${token.slice(0, 12)}@example.org`,
      ...patientData,
    },
  };
}

/** A registration signed as the website does it: over the compact JSON, however the file is formatted. */
export function signedRegistration(key: string, parts: Record<string, unknown> = {}) {
  const body = {
    timestamp: '2026-11-02T08:59:00Z',
    type: 'registration',
    environment: 'test',
    data: aRegistration() as unknown,
    ...parts,
  };
  const signature = createHmac('sha256', key).update(JSON.stringify(body)).digest('hex');
  return { signature, signature_version: 'hmac-sha256-v1', ...body };
}

export function aNewPatient(fields: Record<string, unknown> = {}): NewPatient {
  const input = { anrede: 'Frau', geschlecht: 'weiblich', vorname: 'Lena', nachname: 'Beispiel', ...fields };
  const reading = readPatientFields(newPatientSchema, input, berlinDateOf(AUTUMN));
  if (!reading.ok)
    throw new Error(`the test asks for an invalid patient: ${JSON.stringify(reading.violations)}`);
  return reading.value;
}

export function aPatient(fields: Record<string, unknown> = {}, id = 1): Patient {
  return registerPatient(patientId.parse(id), aNewPatient(fields), AUTUMN).patient;
}

/** Options of an erasure requested by an admin. */
export const BY_ADMIN = {
  by: { actor: 'admin-1', role: 'admin', method: 'DELETE', route: 'DELETE /api/patients/{id}' },
} as const;
