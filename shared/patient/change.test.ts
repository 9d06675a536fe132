import { isDeepStrictEqual } from 'node:util';
import { fc } from '../../test/support/properties.ts';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import { aNewPatient, aPatient, AUTUMN } from '../../test/support/builders.ts';
import { berlinDateOf, type BerlinDate } from '../platform/clock.ts';
import {
  blockTherapist,
  changePatient,
  correctContact,
  recordContact,
  registerPatient,
  unblockTherapist,
  type ChangeResult,
} from './change.ts';
import { changedFields } from './schema.ts';
import { patchSchema, patientId, therapistId, type Patient, type PatientPatch } from './schema.ts';
import { PATIENTENSTATUS } from './vocabulary.ts';

const LATER = AUTUMN.add({ hours: 24 });
const typesOf = ({ events }: ChangeResult) => events.map((event) => event.type);
const patchOf = (fields: object): PatientPatch => patchSchema.parse(fields);
const therapist = (id: number) => therapistId.parse(id);

/** A patch of any fields that matter to a rule; undefined leaves one out. */
const anyPatch = fc
  .record(
    {
      status: fc.constantFrom(...PATIENTENSTATUS),
      zahlung_eingegangen: fc.boolean(),
      vertraege_unterschrieben: fc.boolean(),
      ort: fc.constantFrom(null, 'Köln', 'Bonn'),
      zugewiesener_therapeut: fc.constantFrom(null, 1, 2),
      ausgeschlossene_therapeuten: fc.uniqueArray(fc.integer({ min: 1, max: 4 })),
    },
    { requiredKeys: [] },
  )
  .map(patchOf);

/** The results of changes applied one after the other. */
function history(patches: readonly PatientPatch[]): { states: Patient[]; results: ChangeResult[] } {
  const states = [aPatient()];
  const results = patches.map((patch, at) => {
    const result = changePatient(states.at(-1)!, patch, AUTUMN.add({ hours: at }));
    states.push(result.patient);
    return result;
  });
  return { states, results };
}

describe('any change', () => {
  it('has events if and only if it changes the patient', () => {
    fc.assert(
      fc.property(fc.array(anyPatch, { maxLength: 8 }), (patches) => {
        const { states, results } = history(patches);
        results.forEach(({ patient, events }, at) => {
          const before = states[at]!;
          expect(events.length > 0).toBe(changedFields(before, patient).length > 0);
          if (events.length === 0) expect(patient).toBe(before);
        });
      }),
    );
  });

  it('applied twice has the same result as applied once', () => {
    fc.assert(
      fc.property(anyPatch, (patch) => {
        // With the second flag, `offen` in the same change yields to the start; in a second change it is a correction.
        fc.pre(patch.status !== 'offen');
        const once = changePatient(aPatient(), patch, AUTUMN).patient;
        expect(changePatient(once, patch, LATER)).toEqual({ patient: once, events: [], mails: [] });
      }),
    );
  });

  it('starts the search at most once, on the day of the later of the two flags', () => {
    fc.assert(
      fc.property(fc.array(anyPatch, { maxLength: 10 }), (patches) => {
        const { states } = history(patches);
        const begun = states.findIndex((one) => one.zahlung_eingegangen && one.vertraege_unterschrieben);
        const expected = begun === -1 ? null : berlinDateOf(AUTUMN.add({ hours: begun - 1 }));
        states.forEach((state, at) =>
          expect(state.startdatum).toBe(at < begun || begun === -1 ? null : expected),
        );
      }),
    );
  });

  it('publishes a changed status in exactly one event, with both values', () => {
    fc.assert(
      fc.property(fc.array(anyPatch, { maxLength: 8 }), (patches) => {
        const { states, results } = history(patches);
        results.forEach((result, at) => {
          const [before, after] = [states[at]!.status, result.patient.status];
          const told = result.events.filter((event) => event.type === 'patient.status_changed');
          expect(told.map(({ payload }) => [payload.old_status, payload.new_status])).toEqual(
            before === after ? [] : [[before, after]],
          );
        });
      }),
    );
  });

  it('publishes one event for each newly excluded therapist, and for no other', () => {
    fc.assert(
      fc.property(fc.array(anyPatch, { maxLength: 8 }), (patches) => {
        const { states, results } = history(patches);
        results.forEach((result, at) => {
          const idsOf = (patient: Patient) => patient.ausgeschlossene_therapeuten.map((one) => one.id);
          const told = result.events.filter((event) => event.type === 'patient.therapist_excluded');
          const known = new Set(idsOf(states[at]!));
          expect(told.map(({ payload }) => payload.therapist_id)).toEqual(
            idsOf(result.patient).filter((id) => !known.has(id)),
          );
        });
      }),
    );
  });

  it('keeps the order created, updated, status_changed, therapist_excluded', () => {
    const order = ['patient.updated', 'patient.status_changed', 'patient.therapist_excluded'];
    fc.assert(
      fc.property(anyPatch, (patch) => {
        const ranks = typesOf(changePatient(aPatient(), patch, AUTUMN)).map((type) => order.indexOf(type));
        expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
      }),
    );
  });
});

describe('the start of the search', () => {
  it('keeps any status other than offen', () => {
    const patient = aPatient({ status: 'in_Therapie', zahlung_eingegangen: true });
    const { patient: after } = changePatient(patient, patchOf({ vertraege_unterschrieben: true }), AUTUMN);
    expect(after).toMatchObject({ status: 'in_Therapie', startdatum: '2026-11-02' });
  });

  it('uses the Berlin date, also late in the evening and across daylight saving time', () => {
    const startOf = (instant: string) =>
      registerPatient(
        patientId.parse(1),
        aNewPatient({ zahlung_eingegangen: true, vertraege_unterschrieben: true }),
        Temporal.Instant.from(instant),
      ).patient.startdatum;
    expect(startOf('2026-07-01T21:59:59Z')).toBe('2026-07-01');
    expect(startOf('2026-07-01T22:00:00Z')).toBe('2026-07-02');
    expect(startOf('2026-12-01T22:59:59Z')).toBe('2026-12-01');
    expect(startOf('2026-12-01T23:00:00Z')).toBe('2026-12-02');
  });
});

describe('a contact', () => {
  const date = (text: string) => text as BerlinDate;

  it('keeps the latest date, in whatever order contacts arrive', () => {
    const days = fc
      .integer({ min: 1, max: 28 })
      .map((day) => date(`2026-02-${String(day).padStart(2, '0')}`));
    fc.assert(
      fc.property(fc.array(days, { minLength: 1 }), (dates) => {
        const last = dates.reduce((patient, one) => recordContact(patient, one, AUTUMN).patient, aPatient());
        expect(last.letzter_kontakt).toBe([...dates].sort().at(-1));
      }),
    );
  });

  it('in the future counts as today', () => {
    const { patient } = recordContact(aPatient(), date('2999-01-01'), AUTUMN);
    expect(patient.letzter_kontakt).toBe(berlinDateOf(AUTUMN));
  });

  it('with a wrong date can be corrected, to an earlier date too', () => {
    const wrong = recordContact(aPatient(), date('2026-02-20'), AUTUMN).patient;
    const { patient, events } = correctContact(wrong, date('2026-02-01'), AUTUMN);
    expect(patient.letzter_kontakt).toBe('2026-02-01');
    expect(events.map(({ type }) => type)).toEqual(['patient.updated']);
    expect(correctContact(patient, date('2026-02-01'), AUTUMN).events).toEqual([]);
  });
});

describe('a blocked therapist', () => {
  const treated = aPatient({ zugewiesener_therapeut: 7, status: 'in_Therapie' });

  it('is removed from the patient, who searches again', () => {
    const result = blockTherapist(treated, therapist(7), AUTUMN);
    expect(result.patient).toMatchObject({ zugewiesener_therapeut: null, status: 'auf_der_Suche' });
    expect(result.patient.ausgeschlossene_therapeuten).toMatchObject([
      { id: 7, reason: 'therapist_blocked' },
    ]);
    expect(typesOf(result)).toEqual([
      'patient.updated',
      'patient.status_changed',
      'patient.therapist_excluded',
    ]);
  });

  it('is no longer excluded after the unblocking, unless the patient excluded them', () => {
    const blocked = blockTherapist(treated, therapist(7), AUTUMN).patient;
    expect(unblockTherapist(blocked, therapist(7), LATER).patient.ausgeschlossene_therapeuten).toEqual([]);
    const own = aPatient({
      zugewiesener_therapeut: 7,
      ausgeschlossene_therapeuten: [{ id: 7, reason: 'eigener' }],
    });
    const kept = blockTherapist(own, therapist(7), AUTUMN).patient;
    expect(kept.ausgeschlossene_therapeuten).toEqual(own.ausgeschlossene_therapeuten);
    expect(unblockTherapist(kept, therapist(7), LATER).patient).toBe(kept);
  });

  it('blocked twice has the same result as blocked once, and affects no other patient', () => {
    const blocked = blockTherapist(treated, therapist(7), AUTUMN).patient;
    expect(typesOf(blockTherapist(blocked, therapist(7), LATER))).toEqual([]);
    expect(blockTherapist(treated, therapist(8), AUTUMN).patient).toBe(treated);
  });
});

describe('a patient of more than 256 KiB', () => {
  const excluding = (count: number) =>
    patchOf({
      ausgeschlossene_therapeuten: Array.from({ length: count }, (_, at) => ({
        id: at + 1,
        reason: 'ä'.repeat(500),
      })),
    });

  it('is refused', () => {
    const large = changePatient(
      changePatient(aPatient(), excluding(100), AUTUMN).patient,
      excluding(200),
      AUTUMN,
    ).patient;
    expect(() => changePatient(large, excluding(300), AUTUMN)).toThrow(
      expect.objectContaining({
        code: 'patient.invalid',
        violations: [{ pointer: '', detail: 'must have at most 256 KiB as JSON' }],
      }),
    );
  });
});

describe('one change', () => {
  const excluding = (from: number, to: number) =>
    patchOf({ ausgeschlossene_therapeuten: Array.from({ length: to - from + 1 }, (_, at) => from + at) });
  const tooMany = expect.objectContaining({
    violations: [
      { pointer: '/ausgeschlossene_therapeuten', detail: 'must add at most 100 therapists at once' },
    ],
  });

  it('adds at most 100 exclusions, however many are stored already', () => {
    const hundred = changePatient(aPatient(), excluding(1, 100), AUTUMN);
    expect(hundred.events).toHaveLength(101);
    expect(changePatient(hundred.patient, excluding(1, 200), AUTUMN).events).toHaveLength(101);
    expect(() => changePatient(hundred.patient, excluding(1, 201), AUTUMN)).toThrow(tooMany);
    expect(() => changePatient(aPatient(), excluding(1, 101), AUTUMN)).toThrow(tooMany);
  });

  it('may name the same therapist several times', () => {
    const twice = patchOf({
      ausgeschlossene_therapeuten: Array.from({ length: 300 }, (_, at) => 1 + (at % 100)),
    });
    expect(changePatient(aPatient(), twice, AUTUMN).events).toHaveLength(101);
  });
});

describe('updated_at', () => {
  it('never goes back, even when the next machine has a slower clock', () => {
    const before = changePatient(aPatient(), patchOf({ ort: 'Köln' }), LATER).patient;
    const { patient } = changePatient(before, patchOf({ ort: 'Bonn' }), AUTUMN);
    expect(patient.updated_at).toBe(before.updated_at);
    expect(isDeepStrictEqual(patient, before)).toBe(false);
  });
});
