/** Parses path, query and header parameters. Reports an invalid one with its name as the pointer. */
import { z } from 'zod';
import { violationsOf } from '../../shared/patient/read.ts';
import { patientId, type PatientId } from '../../shared/patient/schema.ts';
import { ServiceError } from '../../shared/platform/errors.ts';
import type { Call } from './route.ts';

/** An integer written in decimal digits. */
export function integerParameter(min: number, max: number, otherwise: number) {
  const rule = `must be an integer from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, rule)
    .transform(Number)
    .pipe(z.int(rule).min(min, rule).max(max, rule))
    .meta({ default: otherwise })
    .optional();
}

export const limitParameter = integerParameter(1, 1000, 20);
export const pageTokenParameter = z
  .string()
  .max(500, 'is not a page token of this list')
  .optional()
  .describe('`next_page_token` of the previous page');

/**
 * Parses the query. A parameter without a value counts as missing.
 * @throws ServiceError `request.invalid_parameter`
 */
export function readQuery<T extends z.ZodObject>(schema: T, call: Call): z.output<T> {
  const given = Object.entries(call.req.query()).filter(([, value]) => value !== '');
  const parsed = schema.safeParse(Object.fromEntries(given));
  if (!parsed.success) {
    throw new ServiceError('request.invalid_parameter', { violations: violationsOf(parsed.error) });
  }
  return parsed.data;
}

/** The patient id in the path; undefined when the text cannot be an id. */
export function findPatientId(call: Call): PatientId | undefined {
  const text = call.req.param('id') ?? '';
  return patientId.safeParse(/^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined).data;
}

/** The patient id in the path. @throws ServiceError `patient.not_found` when the text cannot be an id */
export function readPatientId(call: Call): PatientId {
  const id = findPatientId(call);
  if (id === undefined) throw new ServiceError('patient.not_found');
  return id;
}

/** The `Idempotency-Key`; undefined when there is none. @throws ServiceError `request.invalid_parameter` */
export function readIdempotencyKey(call: Call): string | undefined {
  const key = call.req.header('idempotency-key');
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new ServiceError('request.invalid_parameter', {
    violations: [{ pointer: '/Idempotency-Key', detail: 'must have 1 to 255 visible ASCII characters' }],
  });
}
