/**
 * Reads a topic up to the end that it has when reading starts, then stops: for operators and for counting, not for
 * processing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { delayAfter } from '../platform/backoff.ts';
import { failureOf } from './failure.ts';
import { isAtEnd, readPartitions, type Reading } from './partition-reader.ts';
import type { Admin, KafkaClient } from './ports.ts';

/** How to read a topic, and the callbacks that get its messages. */
export interface ReadOptions extends Omit<Reading, 'topic' | 'next' | 'ends'> {
  /** Reads this partition only. */
  readonly partition?: number | undefined;
  /** First offset by partition; the beginning where absent. */
  readonly from?: ReadonlyMap<number, bigint>;
  /**
   * Called first, for each partition, with its first offset: everything before has been deleted. Called again for a
   * partition whose next messages were deleted while it was read.
   */
  readonly onBeginning?: (partition: number, offset: bigint) => void;
  /** A connection to use; without one, reading opens its own. */
  readonly admin?: Admin | undefined;
}

const ATTEMPTS = 5;
const STALLED_AFTER_MS = 30_000;

/**
 * @param options `stalledAfterMs` is 30 s by default
 * @returns the end by partition: the next offsets to read from
 * @throws ServiceError `kafka.unavailable` in an outage, `internal` in any other failure; the signal's reason
 */
export async function readTopic(
  client: KafkaClient,
  topic: string,
  options: ReadOptions,
): Promise<Map<number, bigint>> {
  let opened: Admin | undefined;
  try {
    const admin = options.admin ?? (opened = await client.admin());
    const ranges = [...(await admin.ranges(topic))].filter(
      ([partition]) => options.partition === undefined || options.partition === partition,
    );
    const ends = new Map(ranges.map(([partition, { high }]) => [partition, high]));
    const next = new Map(options.from);
    const begin = (partition: number, low: bigint) => {
      options.onBeginning?.(partition, low);
      const from = next.get(partition) ?? low;
      next.set(partition, from > low ? from : low);
    };
    for (const [partition, { low }] of ranges) begin(partition, low);
    for (let attempt = 1; !isAtEnd(next, ends); attempt += 1) {
      try {
        await readPartitions(client, admin, {
          stalledAfterMs: STALLED_AFTER_MS,
          ...options,
          topic,
          next,
          ends,
        });
      } catch (error) {
        options.signal?.throwIfAborted();
        // A cluster that just started or is moving its coordinators briefly refuses members.
        if (attempt === ATTEMPTS) throw error;
        await sleep(delayAfter(attempt, { firstMs: 200, lastMs: 2_000 }));
        const cut = [...ends.keys()].filter((partition) => !next.has(partition));
        const now = cut.length === 0 ? undefined : await admin.ranges(topic);
        for (const partition of cut) begin(partition, now?.get(partition)?.low ?? 0n);
      }
    }
    return ends;
  } catch (error) {
    options.signal?.throwIfAborted();
    throw failureOf(error, 'internal');
  } finally {
    await opened?.close().catch(() => undefined);
  }
}
