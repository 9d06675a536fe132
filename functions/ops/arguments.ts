/** Parses the values of options and arguments; commander shows the message of the error that a parser throws. */
import { InvalidArgumentError } from 'commander';
import { patientId, type PatientId } from '../../shared/patient/schema.ts';

/** @throws InvalidArgumentError unless it is a patient id (a 32-bit integer above 0) */
export function parsePatientId(text: string): PatientId {
  const parsed = patientId.safeParse(/^\d+$/.test(text) ? Number(text) : undefined);
  if (!parsed.success) throw new InvalidArgumentError('It must be a patient id.');
  return parsed.data;
}

/** @throws InvalidArgumentError unless it is a partition number of at most 6 digits */
export function parsePartition(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It must be a number.');
  return Number(text);
}

/** @throws InvalidArgumentError unless it is a 64-bit offset of at most 19 digits */
export function parseOffset(text: string): bigint {
  if (!/^\d{1,19}$/.test(text)) throw new InvalidArgumentError('It must be an offset.');
  return BigInt(text);
}

/** @throws InvalidArgumentError unless it is a whole number of days of at most 5 digits */
export function parseDays(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('It must be a number of days.');
  return Number(text);
}

/**
 * @returns how many a second
 * @throws InvalidArgumentError unless it is above 0 and at most 100,000
 */
export function parseRate(text: string): number {
  const rate = Number(text);
  if (!(rate > 0 && rate <= 100_000)) throw new InvalidArgumentError('It must be a number above 0.');
  return rate;
}

/** @throws InvalidArgumentError unless it is a whole number from 1 to 1,000 */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 1_000) {
    throw new InvalidArgumentError('It must be from 1 to 1000.');
  }
  return count;
}

/**
 * @returns the text as it was given
 * @throws InvalidArgumentError unless `Date.parse` reads it
 */
export function parseTime(text: string): string {
  if (Number.isNaN(Date.parse(text)))
    throw new InvalidArgumentError('It must be a time like 2026-11-24T08:00:00Z.');
  return text;
}
