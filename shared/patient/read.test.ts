import { fc } from '../../test/support/properties.ts';
import { describe, expect, it } from 'vitest';
import type { BerlinDate } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { readPatientFields } from './read.ts';
import { FIELD_NAMES, newPatientSchema, patchSchema } from './schema.ts';

const TODAY = '2026-11-02' as BerlinDate;
const read = (input: unknown) => readPatientFields(patchSchema, input, TODAY);

describe('reading', () => {
  it('returns a value or violations for any input, and never throws', () => {
    const fields = fc.dictionary(fc.oneof(fc.constantFrom(...FIELD_NAMES), fc.string()), fc.jsonValue());
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fields), (input) => {
        for (const schema of [patchSchema, newPatientSchema]) {
          const reading = readPatientFields(schema, input, TODAY);
          expect(reading.ok || reading.violations.length > 0).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('reports no value of the input', () => {
    fc.assert(
      fc.property(fc.constantFrom(...FIELD_NAMES), (name) => {
        const reading = read({ [name]: 'GEHEIM \ud800', 'Frau GEHEIM': 1, [`${name}x GEHEIM`]: 1 });
        expect(JSON.stringify(reading)).not.toContain('GEHEIM');
      }),
    );
  });

  it('escapes a pointer as RFC 6901 requires, below the given pointer', () => {
    const reading = readPatientFields(patchSchema, { plz: 1 }, TODAY, '/a~1b');
    expect(reading).toMatchObject({ violations: [{ pointer: '/a~1b/plz' }] });
  });

  it('reads blank text as null in every field that may be null, and in no other', () => {
    for (const name of FIELD_NAMES.filter((field) => field in patchSchema.shape)) {
      const [blank, nothing] = [read({ [name]: ' ' }), read({ [name]: null })];
      expect([name, blank.ok && blank.value]).toEqual([name, nothing.ok && nothing.value]);
    }
  });

  it('counts violations beyond the five hundredth instead of listing them', () => {
    const reading = read(Object.fromEntries(Array.from({ length: 700 }, (_, n) => [`k${n}`, 1])));
    const { violations } = new ServiceError('patient.invalid', reading.ok ? {} : reading);
    expect(violations).toHaveLength(501);
    expect(violations.at(-1)).toEqual({ pointer: '', detail: 'breaks rules in 200 more places' });
  });

  it('refuses dates after the given day', () => {
    expect(read({ geburtsdatum: '2026-11-02' }).ok).toBe(true);
    expect(read({ geburtsdatum: '2026-11-03' })).toMatchObject({
      violations: [{ pointer: '/geburtsdatum', detail: 'must not be in the future' }],
    });
  });

  it('refuses a prototype key as unknown, and does not change the prototype', () => {
    const reading = read(JSON.parse('{"__proto__": {"admin": true}, "constructor": 1}'));
    expect(reading.ok).toBe(false);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });
});
