import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import { aPatient } from '../../test/support/builders.ts';
import { addDays, berlinDateOf, type BerlinDate } from '../platform/clock.ts';
import { CLOSED_STATUSES, keptSince, retentionDue, retentionOf } from './retention.ts';
import type { Patient } from './schema.ts';
import { PATIENTENSTATUS } from './vocabulary.ts';

const days = { unpaid: 30, closed: 30 };
const at = (text: string) => Temporal.Instant.from(text);

function patient(differing: Record<string, unknown> = {}): Patient {
  return {
    ...aPatient(),
    created_at: '2026-03-01T09:00:00.000Z',
    updated_at: '2026-03-01T09:00:00.000Z',
    ...differing,
  };
}

describe('retention', () => {
  // There are 30 whole days without contact in between.
  it.each([
    ['registered', { created_at: '2026-03-01T09:00:00.000Z' }, '2026-04-01'],
    [
      'registered a second before midnight in winter',
      { created_at: '2026-01-31T22:59:59.000Z' },
      '2026-03-03',
    ],
    ['registered at midnight in winter', { created_at: '2026-01-31T23:00:00.000Z' }, '2026-03-04'],
    [
      'registered a second before midnight in summer',
      { created_at: '2026-07-31T21:59:59.000Z' },
      '2026-08-31',
    ],
    ['registered at midnight in summer', { created_at: '2026-07-31T22:00:00.000Z' }, '2026-09-01'],
    ['spoken to later', { letzter_kontakt: '2026-03-05' }, '2026-04-05'],
    ['registered after a contact', { letzter_kontakt: '2020-01-01' }, '2026-04-01'],
    [
      'changed later, which does not count as contact',
      { updated_at: '2026-05-01T09:00:00.000Z' },
      '2026-04-01',
    ],
    ['registered on a leap day', { created_at: '2028-02-29T09:00:00.000Z' }, '2028-03-31'],
  ])('of one who never paid and was %s ends on that day', (_, differing, due_on) => {
    expect(retentionOf(patient(differing), days)).toEqual({ rule: 'unpaid', due_on });
  });

  it.each(CLOSED_STATUSES)('of %s counts from the last change or contact, whichever is later', (status) => {
    const closed = { status, zahlung_eingegangen: true, startdatum: '2026-03-01' };
    const due = (differing: Record<string, unknown>) =>
      retentionOf(patient({ ...closed, ...differing }), days);
    expect(due({ updated_at: '2026-06-01T22:00:00.000Z' })).toEqual({ rule: 'closed', due_on: '2026-07-03' });
    expect(due({ letzter_kontakt: '2026-06-10' })).toEqual({ rule: 'closed', due_on: '2026-07-11' });
  });

  it.each([
    ['has paid', { zahlung_eingegangen: true }],
    ['has paid once', { startdatum: '2026-03-01' }],
    ...PATIENTENSTATUS.filter(
      (status) => status !== 'offen' && !CLOSED_STATUSES.some((one) => one === status),
    ).map((status): [string, Record<string, unknown>] => [`is ${status} without a payment`, { status }]),
  ])('does not end for one who %s', (_, differing) => {
    expect(retentionOf(patient(differing), days)).toBeUndefined();
  });

  it('does not end where its rule is off', () => {
    expect(retentionOf(patient(), { unpaid: undefined, closed: 30 })).toBeUndefined();
    expect(
      retentionOf(patient({ status: 'Suche_abgebrochen' }), { unpaid: 30, closed: undefined }),
    ).toBeUndefined();
  });

  it.each([
    ['2026-03-31T21:59:59.999Z', false],
    ['2026-03-31T22:00:00.000Z', true],
  ])('at %s is over for one who is due on 1 April: %s', (now, over) => {
    expect(retentionDue(patient(), days, at(now)) !== undefined).toBe(over);
  });

  it.each(['2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'])(
    'around the change of the clocks, at %s, asks the database for exactly those who are due',
    (text) => {
      for (const now of [at(text).subtract({ milliseconds: 1 }), at(text)]) {
        const { day, at: instant } = keptSince(30, now);
        const last = { letzter_kontakt: addDays(day, -1), created_at: '2020-01-01T00:00:00.000Z' };
        expect(retentionDue(patient(last), days, now)).toBeDefined();
        expect(retentionDue(patient({ ...last, letzter_kontakt: day }), days, now)).toBeUndefined();
        const before = at(instant).subtract({ milliseconds: 1 }).toString();
        expect(retentionDue(patient({ created_at: before }), days, now)).toBeDefined();
        expect(retentionDue(patient({ created_at: instant }), days, now)).toBeUndefined();
        expect(day).toBe(addDays(berlinDateOf(now), -30) satisfies BerlinDate);
      }
    },
  );
});
