/**
 * Building blocks of the patient schema. One-line texts are trimmed, measured and normalised, in this order: every step is
 * linear in the length of the text, so a hostile text costs no more than reading it.
 */
import { z } from 'zod';
import { isCalendarDate, parseTimestamp, utcTimestamp, type BerlinDate } from '../platform/clock.ts';
import type { Personal } from '../platform/personal.ts';

/** Brands the output of a schema as personal data, for the compiler only. */
export function personal<T>(schema: z.ZodType<T>): z.ZodType<Personal<T>> {
  return schema as unknown as z.ZodType<Personal<T>>;
}

/**
 * UTF-16 code units that one character may take before composition: ΐ has 3, ᾂ has 4
 * (https://unicode.org/faq/normalization.html#12). A longer text is too long in every form.
 */
const MAX_UNITS_PER_CHARACTER = 4;

/**
 * Sorting combining marks takes time that is quadratic in their run. The Stream-Safe Text Format allows runs of 30
 * (https://unicode.org/reports/tr15/#Stream_Safe_Text_Format).
 */
const TOO_MANY_MARKS = /(?<!\p{M})\p{M}{31}/u;

/** Blanks of every width, including the byte order mark, and characters that print nothing. */
const BLANK = /[\s\u180e\u200b\u2060]/;

/** Removes blanks and line breaks from both ends of a text. */
export function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && BLANK.test(text.charAt(start))) start += 1;
  while (end > start && BLANK.test(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** True when a text consists of blanks only. */
export function isBlank(text: string): boolean {
  return trimmed(text) === '';
}

/** True when the text holds a visible letter; a Hangul filler is a letter but blank. */
export function hasLetter(text: string): boolean {
  return /(?!\p{Default_Ignorable_Code_Point})\p{L}/u.test(text);
}

/** Stops at the first violation: later steps may be costly on a text that breaks this rule. */
function rule(holds: (text: string) => boolean, error: string) {
  return [holds, { error, abort: true }] as const;
}

/**
 * One line of at most `max` characters, without blanks at its ends and in Unicode NFC. Characters are code points, as
 * in JSON Schema's maxLength.
 */
export function text(max: number) {
  const tooLong = `must have at most ${max} characters`;
  return z
    .string()
    .overwrite(trimmed)
    .refine(...rule((value) => value.length <= max * MAX_UNITS_PER_CHARACTER, tooLong))
    .refine(...rule((value) => value.isWellFormed(), 'must not hold a lone surrogate'))
    .refine(
      ...rule(
        (value) => !/[\p{Cc}\u2028\u2029]/u.test(value),
        'must not hold control characters or line breaks',
      ),
    )
    .refine(
      ...rule((value) => !/\p{Bidi_Control}/u.test(value), 'must not hold controls of the writing direction'),
    )
    .refine(...rule((value) => !TOO_MANY_MARKS.test(value), 'must not stack more than 30 combining marks'))
    .normalize('NFC')
    .refine(...rule((value) => Array.from(value).length <= max, tooLong))
    .meta({ maxLength: max });
}

/** A name of a person: text that holds at least one letter. */
export function name(max: number) {
  return text(max)
    .refine(...rule((value) => value !== '', 'must not be blank'))
    .refine(...rule(hasLetter, 'must hold a letter'))
    .meta({ maxLength: max, minLength: 1, description: 'Holds at least one letter' });
}

/** A German postal code: five digits, kept as text because leading zeros count. */
export const postalCode = z
  .string()
  .overwrite(trimmed)
  .regex(/^\d{5}$/, 'must be a German postal code of 5 digits');

/** A date of the calendar, YYYY-MM-DD. */
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
