/** Converts the fetch result of the patched client into a {@link Fetched}. */
import type { Fetched, IncomingMessage } from './ports.ts';
import { readRecordSet } from './record-set.ts';

/**
 * The fetch result of one partition, as patches/kafkajs returns it: the bytes, and the error code of this partition.
 */
export interface RawPartition {
  readonly partition: number;
  readonly topicId: string | undefined;
  readonly fetchedOffset: string;
  readonly highWatermark: string;
  readonly errorCode: number;
  readonly abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[];
  readonly records: Buffer;
}

/** Error code of Kafka: the requested offset is not in the partition. */
export const OFFSET_OUT_OF_RANGE = 1;

/** Reads a fetch result batch by batch. Stops at a batch that cannot be read and returns it as `unreadable`. */
export async function readPartition(topic: string, raw: RawPartition): Promise<Fetched> {
  const { partition, topicId } = raw;
  const from = BigInt(raw.fetchedOffset);
  if (raw.errorCode !== 0) {
    const unreadable = {
      reason: 'broker_refuses',
      offset: from,
      lastOffset: undefined,
      header: undefined,
    } as const;
    return { messages: [], next: from, unreadable, topicId };
  }
  const { records, next, unreadable } = await readRecordSet({
    bytes: raw.records,
    from,
    end: BigInt(raw.highWatermark),
    aborted: raw.abortedTransactions.map(({ producerId, firstOffset }) => ({
      producerId: BigInt(producerId),
      firstOffset: BigInt(firstOffset),
    })),
  });
  const messages = records.map((record): IncomingMessage => ({ topic, partition, ...record }));
  return { messages, next, unreadable, topicId };
}
