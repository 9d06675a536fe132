import { fc } from '../../test/support/properties.ts';
import { describe, expect, it } from 'vitest';
import { AUTUMN } from '../../test/support/builders.ts';
import { mergeExclusions } from './exclusions.ts';
import { therapistId, type Exclusion, type ExclusionInput } from './values.ts';

const id = (value: number) => therapistId.parse(value);
const LATER = AUTUMN.add({ hours: 5 });

const anInput: fc.Arbitrary<ExclusionInput> = fc.oneof(
  fc.integer({ min: 1, max: 5 }).map(id),
  fc.record(
    { id: fc.integer({ min: 1, max: 5 }).map(id), reason: fc.constantFrom('x', 'y', null) },
    { requiredKeys: ['id'] },
  ),
);
const anyList = fc.array(anInput, { maxLength: 8 });

describe('a written list of exclusions', () => {
  it('results in exactly the therapists that it names, each once', () => {
    fc.assert(
      fc.property(anyList, anyList, (before, written) => {
        const stored = mergeExclusions([], before, AUTUMN);
        const ids = mergeExclusions(stored, written, LATER).map((one) => one.id);
        expect(ids).toEqual([...new Set(written.map((one) => (typeof one === 'number' ? one : one.id)))]);
      }),
    );
  });

  it('keeps the stored date and reason of a therapist who is named by id only', () => {
    fc.assert(
      fc.property(anyList, (before) => {
        const stored = mergeExclusions([], before, AUTUMN);
        expect(
          mergeExclusions(
            stored,
            stored.map((one) => one.id),
            LATER,
          ),
        ).toEqual(stored);
      }),
    );
  });

  it('dates a new exclusion today, and can clear a reason', () => {
    const [dated] = mergeExclusions([], [id(3)], AUTUMN);
    expect(dated).toEqual({ id: 3, excluded_at: '2026-11-02T09:00:00.000Z' });
    const stored: Exclusion[] = [{ id: id(3), excluded_at: '2026-01-01T00:00:00.000Z', reason: 'x' }];
    expect(mergeExclusions(stored, [{ id: id(3), reason: null }], AUTUMN)).toEqual([
      { id: 3, excluded_at: '2026-01-01T00:00:00.000Z' },
    ]);
  });
});
