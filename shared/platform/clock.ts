/**
 * Time as the domain sees it: instants in UTC and calendar dates in Europe/Berlin (docs/domain.md#time).
 * Nothing here reads the machine's clock. Only `system-clock.ts` does; all other code receives an instant.
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

/** A point in time, independent of any time zone. */
export type Instant = Temporal.Instant;

/** The calendar date in Berlin at this instant. */
export function berlinDateOf(instant: Instant): BerlinDate {
  return instant.toZonedDateTimeISO(BERLIN).toPlainDate().toString() as BerlinDate;
}

/** The date `days` days later; earlier when `days` is negative. */
export function addDays(date: BerlinDate, days: number): BerlinDate {
  return Temporal.PlainDate.from(date).add({ days }).toString() as BerlinDate;
}

/** Midnight in Berlin at the start of this date: 22:00 or 23:00 UTC of the day before. */
export function startOfBerlinDay(date: BerlinDate): Instant {
  return Temporal.PlainDate.from(date).toZonedDateTime(BERLIN).toInstant();
}

/** Whether the text is an existing date, written `YYYY-MM-DD`, in the years 0001 to 9999. False for 2023-02-29. */
export function isCalendarDate(text: string): text is BerlinDate {
  if (!/^(?!0000)\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  try {
    Temporal.PlainDate.from(text, { overflow: 'reject' });
    return true;
  } catch {
    return false;
  }
}

/** Formats an instant as RFC 3339 in UTC with milliseconds, such as `2026-08-01T09:10:11.000Z`. */
export function utcTimestamp(instant: Instant): UtcTimestamp {
  return instant.toString({ fractionalSecondDigits: 3 });
}

/** Between these, both the UTC date and the Berlin date have a four-digit year. Berlin is one hour ahead in winter. */
const FIRST = Temporal.Instant.from('0001-01-01T00:00:00Z');
const END = Temporal.Instant.from('9999-12-31T23:00:00Z');

/** Like {@link parseInstant}, but undefined when the year in UTC or in Berlin does not have four digits. */
export function parseTimestamp(text: string): Instant | undefined {
  const instant = parseInstant(text);
  const isInRange =
    instant !== undefined &&
    Temporal.Instant.compare(FIRST, instant) <= 0 &&
    Temporal.Instant.compare(instant, END) < 0;
  return isInRange ? instant : undefined;
}

/**
 * Parses an RFC 3339 timestamp, and the variants that other producers send: no zone means UTC, a space may replace the
 * `T`, seconds may be missing, and an offset may be written `+01:00`, `+0100` or `+01`.
 * @returns undefined when the text is not a timestamp or is longer than 64 characters
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
