import { fc } from '../../test/support/properties.ts';
import { describe, expect, it } from 'vitest';
import { decidePosition, type Position, type PositionFacts } from './position.ts';

const range = (low: bigint, high: bigint) => ({ low, high });
const at = (offset: bigint, topicId?: string) => ({ offset, topicId });

describe('the position', () => {
  it.each<[string, PositionFacts, Position]>([
    [
      'is the committed one',
      { committed: at(5n, 'a'), range: range(0n, 9n), topicId: 'a' },
      { start: 5n, why: 'continued', missing: 0n },
    ],
    [
      'stays at the end',
      { committed: at(9n, 'a'), range: range(0n, 9n), topicId: 'a' },
      { start: 9n, why: 'continued', missing: 0n },
    ],
    [
      'is the beginning for a group that has never read',
      { committed: undefined, range: range(3n, 9n), topicId: 'a' },
      { start: 3n, why: 'first', missing: 0n },
    ],
    [
      'is the beginning of another topic of the same name that is shorter',
      { committed: at(100n, 'a'), range: range(0n, 7n), topicId: 'b' },
      { start: 0n, why: 'recreated', missing: 0n },
    ],
    [
      'is the beginning of another topic of the same name that is longer already',
      { committed: at(5n, 'a'), range: range(0n, 7n), topicId: 'b' },
      { start: 0n, why: 'recreated', missing: 0n },
    ],
    [
      'counts what another topic of the same name has deleted already',
      { committed: at(5n, 'a'), range: range(2n, 7n), topicId: 'b' },
      { start: 2n, why: 'recreated', missing: 2n },
    ],
    [
      'counts what retention has deleted unread',
      { committed: at(5n, 'a'), range: range(8n, 9n), topicId: 'a' },
      { start: 8n, why: 'expired', missing: 3n },
    ],
    [
      'is the beginning when the partition ends before it',
      { committed: at(10n, 'a'), range: range(2n, 9n), topicId: 'a' },
      { start: 2n, why: 'truncated', missing: 0n },
    ],
    [
      'is the beginning when the partition ends before it and the brokers tell no topic id',
      { committed: at(10n), range: range(0n, 9n), topicId: undefined },
      { start: 0n, why: 'truncated', missing: 0n },
    ],
    [
      'is a commit of before topic ids were kept',
      { committed: at(5n), range: range(0n, 9n), topicId: 'a' },
      { start: 5n, why: 'continued', missing: 0n },
    ],
  ])('%s', (_, facts, position) => {
    expect(decidePosition(facts)).toEqual(position);
  });

  it('lies within the partition, and passes over nothing that can still be read unless it was committed', () => {
    const offset = fc.bigInt({ min: 0n, max: 20n });
    const topicId = fc.constantFrom('a', 'b', undefined);
    fc.assert(
      fc.property(
        fc.record({
          committed: fc.option(fc.record({ offset, topicId }), { nil: undefined }),
          range: fc.tuple(offset, offset).map(([a, b]) => (a < b ? range(a, b) : range(b, a))),
          topicId,
        }),
        (facts) => {
          const { start } = decidePosition(facts);
          expect(start >= facts.range.low && start <= facts.range.high).toBe(true);
          expect(start === facts.range.low || start === facts.committed?.offset).toBe(true);
        },
      ),
    );
  });
});
