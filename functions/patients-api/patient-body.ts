/** Patients in bodies: validated in a request, and sent with their version in a response. */
import type { z } from 'zod';
import { readPatientFields } from '../../shared/patient/read.ts';
import type { BerlinDate } from '../../shared/platform/clock.ts';
import { ServiceError } from '../../shared/platform/errors.ts';
import type { StoredPatient } from '../../shared/store/patients.ts';
import { noteSubjects } from './audit.ts';
import { entityTag } from './entity-tag.ts';
import type { Call } from './route.ts';

/** Validates the fields of a patient. @throws ServiceError `patient.invalid` with every violation */
export function validFields<T>(schema: z.ZodType<T>, json: unknown, today: BerlinDate): T {
  const reading = readPatientFields(schema, json, today);
  if (!reading.ok) throw new ServiceError('patient.invalid', { violations: reading.violations });
  return reading.value;
}

export function answerPatient(
  call: Call,
  { patient, sequence }: StoredPatient,
  status: 200 | 201 = 200,
): Response {
  noteSubjects(call, [patient.id]);
  call.header('etag', entityTag(sequence));
  return call.json(patient, status);
}
