import { describe, expect, it } from 'vitest';
import type { UtcTimestamp } from '../../shared/platform/clock.ts';
import type { PartitionStatus } from '../../shared/store/worker-status.ts';
import { partitionStatuses } from './waiting.ts';

const BEFORE = '2026-11-02T09:00:00Z' as UtcTimestamp;
const NOW = '2026-11-02T09:05:00Z' as UtcTimestamp;
const waited: PartitionStatus = { partition: 3, committed: '17', lag: 2, waiting_since: BEFORE };
const lagging = (committed: bigint | undefined, lag: number) => [{ partition: 3, committed, end: 20n, lag }];

function since(before: readonly PartitionStatus[], committed: bigint | undefined, lag: number) {
  return partitionStatuses(lagging(committed, lag), before, NOW)[0]!.waiting_since;
}

describe('a partition', () => {
  it.each([
    ['has waited since the last status said so, when its offset has not moved', [waited], 17n, 3, BEFORE],
    ['begins to wait anew when its offset has moved', [waited], 18n, 2, NOW],
    ['begins to wait with its first message', [{ ...waited, lag: 0, waiting_since: null }], 17n, 1, NOW],
    ['that no status has named begins to wait', [], 17n, 1, NOW],
    ['waits for nothing at its end', [waited], 20n, 0, null],
    ['waits for nothing when its messages have gone', [waited], 17n, 0, null],
    ['that no consumer has ever begun waits too', [{ ...waited, committed: null }], undefined, 5, BEFORE],
  ] as const)('%s', (_, before, committed, lag, expected) => {
    expect(since(before, committed, lag)).toBe(expected);
  });

  it('is known by its number', () => {
    expect(since([{ ...waited, partition: 4 }], 17n, 1)).toBe(NOW);
  });
});
