/**
 * Since when a partition stands still: judged by the offsets that the group has committed on the broker, and carried
 * from one status document to the next, so that neither a restart nor a second worker begins to count anew.
 */
import type { PartitionLag } from '../../shared/kafka/lag.ts';
import type { UtcTimestamp } from '../../shared/platform/clock.ts';
import type { PartitionStatus } from '../../shared/store/worker-status.ts';

/**
 * The partitions as they are now.
 * @param before what the last status said of the same group and topic
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
