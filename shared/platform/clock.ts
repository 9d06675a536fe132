/**
 * Time as the domain sees it: instants in UTC and calendar dates in Europe/Berlin (DOMAIN 7 "today").
 * Only {@link systemClock} reads the machine's clock; everything else is given an instant.
 */
import { Temporal } from 'temporal-polyfill';

const BERLIN = 'Europe/Berlin';

declare const berlinDate: unique symbol;

/** A calendar date `YYYY-MM-DD` in Europe/Berlin. Sorts as a string. */
export type BerlinDate = string & { readonly [berlinDate]: true };

/** An instant as stored and sent: RFC 3339 in UTC with milliseconds and `Z`, so that it sorts as a string. */
export type UtcTimestamp = string;

/** Supplies the current instant; tests supply their own. */
export type Clock = () => Temporal.Instant;

export type Instant = Temporal.Instant;

export const systemClock: Clock = () => Temporal.Now.instant();

export function berlinDateOf(instant: Instant): BerlinDate {
  return instant.toZonedDateTimeISO(BERLIN).toPlainDate().toString() as BerlinDate;
}

/** True for a date of the calendar written `YYYY-MM-DD` (years 0001 to 9999): 2023-02-29 is none. */
export function isCalendarDate(text: string): text is BerlinDate {
  if (!/^(?!0000)\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  try {
    Temporal.PlainDate.from(text, { overflow: 'reject' });
    return true;
  } catch {
    return false;
  }
}

export function utcTimestamp(instant: Instant): UtcTimestamp {
  return instant.toString({ fractionalSecondDigits: 3 });
}

/**
 * Reads an RFC 3339 timestamp; one without a zone is UTC (DOMAIN 3: other producers leave it out), and a
 * blank may stand for the `T`. Undefined when the text is no timestamp.
 */
export function parseTimestamp(text: string): Instant | undefined {
  const parts = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?)\d*(Z|z|[+-]\d{2}:\d{2})?$/.exec(
    text,
  );
  if (parts === null) return undefined;
  try {
    return Temporal.Instant.from(`${parts[1]}T${parts[2]}${(parts[3] ?? 'Z').toUpperCase()}`);
  } catch {
    return undefined;
  }
}
