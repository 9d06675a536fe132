/** Building blocks of the patient schema: text, dates and numbers that carry the contract's rules and brands. */
import { parsePhoneNumberFromString } from 'libphonenumber-js/min';
import { z } from 'zod';
import { isCalendarDate, parseTimestamp, utcTimestamp, type BerlinDate } from '../platform/clock.ts';
import type { Personal } from '../platform/personal.ts';

/** Marks what a schema reads as personal data, for the compiler only. */
export function personal<T>(schema: z.ZodType<T>): z.ZodType<Personal<T>> {
  return schema as unknown as z.ZodType<Personal<T>>;
}

/**
 * Text of at most `max` characters, compared and stored in Unicode NFC. Characters are code points, as in
 * JSON Schema's maxLength; a lone surrogate is no character and cannot be stored.
 */
export function text(max: number) {
  return z
    .string()
    .refine((value) => value.isWellFormed(), 'must not hold a lone surrogate')
    .normalize('NFC')
    .refine((value) => Array.from(value).length <= max, `must have at most ${max} characters`)
    .meta({ maxLength: max });
}

export function textNotBlank(max: number) {
  return text(max)
    .refine((value) => value.trim() !== '', 'must not be blank')
    .meta({ maxLength: max, minLength: 1 });
}

export const emailAddress = z
  .email('must be an e-mail address')
  .normalize('NFC')
  .max(255, 'must have at most 255 characters');

/** A phone number, kept as E.164 where it parses as a number dialled in Germany, else as it was written. */
export const phoneNumber = text(50)
  .refine((value) => (value.match(/\d/g) ?? []).length >= 3, 'must be a phone number')
  .overwrite((value) => parsePhoneNumberFromString(value, 'DE')?.number ?? value)
  .meta({ maxLength: 50 });

export const postalCode = z.string().regex(/^\d{5}$/, 'must be a German postal code of 5 digits');

export const calendarDate = z
  .string()
  .refine((value) => isCalendarDate(value), 'must be a date of the calendar, YYYY-MM-DD')
  .meta({ format: 'date' }) as unknown as z.ZodType<BerlinDate, string>;

/** An instant, answered in UTC with Z. */
export const timestamp = z
  .string()
  .refine((value) => parseTimestamp(value) !== undefined, 'must be a date-time as in RFC 3339')
  .overwrite((value) => {
    const instant = parseTimestamp(value);
    return instant === undefined ? value : utcTimestamp(instant);
  })
  .meta({ format: 'date-time' });

/** An id that other services store as a 32-bit integer. */
export const int32Id = z
  .int('must be an integer')
  .min(1, 'must be from 1 to 2147483647')
  .max(2 ** 31 - 1, 'must be from 1 to 2147483647');

/** `HH:MM-HH:MM`, the start before the end. */
export const timeSlot = z
  .string()
  .regex(/^(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d$/, {
    error: 'must be a time slot HH:MM-HH:MM',
    abort: true,
  })
  .refine((value) => value.slice(0, 5) < value.slice(6), 'must start before it ends');
