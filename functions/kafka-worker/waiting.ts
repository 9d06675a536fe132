/**
 * Since when a partition has stood still, judged by the group's committed offsets on the broker. The time is carried from
 * one status document to the next, so neither a restart nor a second worker resets it.
 */
import type { PartitionLag } from '../../shared/kafka/lag.ts';
import type { UtcTimestamp } from '../../shared/platform/clock.ts';
import type { PartitionStatus } from '../../shared/store/worker-status.ts';

/**
 * The current status of each partition.
 * @param before the last stored status of the same group and topic
 */
export function partitionStatuses(
  lags: readonly PartitionLag[],
  before: readonly PartitionStatus[],
  now: UtcTimestamp,
): PartitionStatus[] {
  const known = new Map(before.map((status) => [status.partition, status]));
  return lags.map(({ partition, committed, lag }) => {
    const offset = committed === undefined ? null : committed.toString();
    const last = known.get(partition);
    const since = last?.committed === offset ? last.waiting_since : null;
    return { partition, committed: offset, lag, waiting_since: lag > 0 ? (since ?? now) : null };
  });
}
