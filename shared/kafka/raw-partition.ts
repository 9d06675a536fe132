/** What the patched client hands out of a fetch, and what it holds in our own words. */
import type { Fetched, IncomingMessage } from './ports.ts';
import { readRecordSet } from './record-set.ts';

/**
 * What a fetch returned for one partition, by patches/kafkajs: the bytes, and an error that is the partition's alone.
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

/** The code of an error: the partition has no such position. */
export const OFFSET_OUT_OF_RANGE = 1;

/** What a fetch brought, batch by batch; a batch that cannot be read ends it and is named. */
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
