/** How far a consumer group is behind its topic. */
import type { Admin } from './ports.ts';
import { decidePosition } from './position.ts';

/** How far a group is behind in one partition. */
export interface PartitionLag {
  readonly partition: number;
  /** The group's next offset; undefined when it has committed none. */
  readonly committed: bigint | undefined;
  readonly end: bigint;
  /** Messages that the group has still to apply. */
  readonly lag: number;
}

/** @throws the client's error when Kafka cannot be asked or the topic does not exist */
export async function lagOf(admin: Admin, group: string, topic: string): Promise<PartitionLag[]> {
  const [ranges, committed, topicId] = await Promise.all([
    admin.ranges(topic),
    admin.committed(group, topic),
    admin.topicId(topic),
  ]);
  return [...ranges]
    .map(([partition, range]) => {
      const own = committed.get(partition);
      const { start } = decidePosition({ committed: own, range, topicId });
      return { partition, committed: own?.offset, end: range.high, lag: Number(range.high - start) };
    })
    .sort((a, b) => a.partition - b.partition);
}

/** @returns the messages that wait in all partitions together */
export function totalLag(lags: readonly PartitionLag[]): number {
  return lags.reduce((sum, { lag }) => sum + lag, 0);
}
