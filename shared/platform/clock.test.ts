import { fc } from '../../test/support/properties.ts';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import { berlinDateOf, isCalendarDate, parseTimestamp, utcTimestamp } from './clock.ts';

const instant = (text: string) => Temporal.Instant.from(text);
const anInstant = fc
  .integer({ min: Date.UTC(1900, 0), max: Date.UTC(2100, 0) })
  .map((milliseconds) => Temporal.Instant.fromEpochMilliseconds(milliseconds));

describe('the Berlin date', () => {
  it.each([
    ['2026-03-29T00:59:59Z', '2026-03-29'],
    ['2026-03-29T21:59:59Z', '2026-03-29'],
    ['2026-03-29T22:00:00Z', '2026-03-30'],
    ['2026-10-25T22:59:59Z', '2026-10-25'],
    ['2026-10-25T23:00:00Z', '2026-10-26'],
    ['2026-12-31T23:00:00Z', '2027-01-01'],
  ])('of %s is %s', (text, date) => {
    expect(berlinDateOf(instant(text))).toBe(date);
  });

  it('never goes back while time goes on', () => {
    fc.assert(
      fc.property(anInstant, fc.nat({ max: 10 ** 9 }), (at, later) => {
        expect(berlinDateOf(at.add({ milliseconds: later })) >= berlinDateOf(at)).toBe(true);
      }),
    );
  });
});

describe('a timestamp', () => {
  it('read back is the same instant, and sorts as a text like the instants', () => {
    fc.assert(
      fc.property(anInstant, anInstant, (a, b) => {
        expect(parseTimestamp(utcTimestamp(a))?.equals(a)).toBe(true);
        const order = Temporal.Instant.compare(a, b);
        expect(
          Math.sign(utcTimestamp(a) < utcTimestamp(b) ? -1 : Number(utcTimestamp(a) > utcTimestamp(b))),
        ).toBe(order);
      }),
    );
  });

  it.each([
    ['2026-08-01T09:10:11', '2026-08-01T09:10:11.000Z'],
    ['2026-08-01 09:10:11', '2026-08-01T09:10:11.000Z'],
    ['2026-08-01t11:10:11.5+02:00', '2026-08-01T09:10:11.500Z'],
    ['2026-08-01T09:10Z', '2026-08-01T09:10:00.000Z'],
    ['2026-08-01T09:10', '2026-08-01T09:10:00.000Z'],
    ['2026-08-01 11:10+0200', '2026-08-01T09:10:00.000Z'],
    ['2026-08-01T11:10:11+0200', '2026-08-01T09:10:11.000Z'],
    ['2026-08-01T11:10:11.123456789012+02', '2026-08-01T09:10:11.123Z'],
    ['2026-08-01T00:00:00-0130', '2026-08-01T01:30:00.000Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
    ['9999-12-31T22:59:59.999Z', '9999-12-31T22:59:59.999Z'],
  ])('%s is %s', (text, utc) => {
    const read = parseTimestamp(text);
    expect(read && utcTimestamp(read)).toBe(utc);
  });

  it.each([
    '',
    'gestern',
    '2026-08-01',
    '2026-02-30T00:00:00Z',
    '2026-08-01T25:00:00Z',
    '1',
    '2026-08-01T09:10:',
    '2026-08-01T09Z',
    '2026-08-01T09:10:1123Z',
    '2026-08-01T09:10.5Z',
    '2026-08-01T09:10+1',
    '2026-08-01T09:10+010',
    '2026-08-01T09:10+25:00',
    '2026-08-01T09:10 Z',
    // Their year has not four digits, in UTC or in Berlin.

    '0000-06-01T00:00:00Z',
    '-0001-01-01T00:00:00Z',
    '-000001-01-01T00:00:00Z',
    '0001-01-01T00:00:00+01:00',

    '+010000-01-01T00:00:00Z',
    '9999-12-31T23:00:00Z',
    '9999-12-31T23:30:00-01:00',
    '99999-01-01T00:00:00Z',
    `2026-08-01T09:10:11.${'1'.repeat(100_000)}Z`,
  ])('%.40s is none', (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });

  it('has a year of four digits, in UTC and in Berlin, whenever it is one', () => {
    const two = fc.nat({ max: 99 }).map((n) => String(n).padStart(2, '0'));
    const edge = fc.constantFrom('0000-01-01', '0001-01-01', '0001-12-31', '9999-01-01', '9999-12-31');
    fc.assert(
      fc.property(edge, two, two, fc.constantFrom('+', '-'), two, (date, hour, minute, sign, offset) => {
        const read = parseTimestamp(`${date}T${hour}:${minute}${sign}${offset}`);
        if (read === undefined) return;
        expect(utcTimestamp(read)).toMatch(/^\d{4}-/);
        expect(berlinDateOf(read)).toMatch(/^\d{4}-/);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a date of the calendar', () => {
  it.each(['2024-02-29', '2000-02-29', '0001-01-01', '9999-12-31'])('%s is one', (text) => {
    expect(isCalendarDate(text)).toBe(true);
  });
  it.each([
    '2023-02-29',
    '1900-02-29',
    '0000-01-01',
    '2026-1-1',
    '2026-13-01',
    '2026-04-31',
    '+002026-01-01',
  ])('%s is none', (text) => {
    expect(isCalendarDate(text)).toBe(false);
  });
});
