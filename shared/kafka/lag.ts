/** How far a consumer group is behind its topic. */
import type { Admin } from './kafkajs.ts';

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
  const [ranges, committed] = await Promise.all([admin.ranges(topic), admin.committed(group, topic)]);
  return [...ranges]
    .map(([partition, { low, high }]) => {
      const own = committed.get(partition);
      const next = own === undefined || own < low ? low : own;
      return { partition, committed: own, end: high, lag: Number(high - next) };
    })
    .sort((a, b) => a.partition - b.partition);
}

export function totalLag(lags: readonly PartitionLag[]): number {
  return lags.reduce((sum, { lag }) => sum + lag, 0);
}
