/**
 * Time as the domain sees it: instants in UTC and calendar dates in Europe/Berlin (docs/domain.md#time).
 * Nothing here reads the machine's clock: `system-clock.ts` does, and everything else is given an instant.
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

export function berlinDateOf(instant: Instant): BerlinDate {
  return instant.toZonedDateTimeISO(BERLIN).toPlainDate().toString() as BerlinDate;
}

/** The day so many days later, or earlier where `days` is negative. */
export function addDays(date: BerlinDate, days: number): BerlinDate {
  return Temporal.PlainDate.from(date).add({ days }).toString() as BerlinDate;
}

/** Midnight in Berlin: 22:00 or 23:00 UTC of the day before. */
export function startOfBerlinDay(date: BerlinDate): Instant {
  return Temporal.PlainDate.from(date).toZonedDateTime(BERLIN).toInstant();
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

/** Outside of these the UTC or the Berlin date has no year of four digits: Berlin is an hour ahead of UTC in winter. */
const FIRST = Temporal.Instant.from('0001-01-01T00:00:00Z');
const END = Temporal.Instant.from('9999-12-31T23:00:00Z');

/** {@link parseInstant}, but undefined when its year in UTC or Berlin has not four digits. */
export function parseTimestamp(text: string): Instant | undefined {
  const instant = parseInstant(text);
  const isInRange =
    instant !== undefined &&
    Temporal.Instant.compare(FIRST, instant) <= 0 &&
    Temporal.Instant.compare(instant, END) < 0;
  return isInRange ? instant : undefined;
}

/**
 * Reads a timestamp as in RFC 3339, and what other producers make of it: without a zone it is UTC, a blank may stand
 * for the `T`, seconds may be missing, and offsets may be written `+01:00`, `+0100` or `+01`. Undefined when the text
 * is no timestamp.
 */
export function parseInstant(text: string): Instant | undefined {
  if (text.length > 64) return undefined;
  const parts =
    /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(?:(:\d{2})(?:(\.\d{1,9})\d*)?)?(Z|z|[+-]\d{2}(?::?\d{2})?)?$/.exec(
      text,
    );
  if (parts === null) return undefined;
  try {
    const [, date, time, seconds = '', fraction = '', zone = 'Z'] = parts;
    return Temporal.Instant.from(`${date}T${time}${seconds}${fraction}${zone.toUpperCase()}`);
  } catch {
    return undefined;
  }
}
