/**
 * Reads a topic up to the end that it has when reading starts, then stops: for operators and for counting, not for
 * processing.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../platform/errors.ts';
import { delayAfter } from '../platform/backoff.ts';
import { failureOf } from './failure.ts';
import type { Admin, IncomingMessage, KafkaClient, Member } from './ports.ts';
import type { UnreadableBatch } from './record-set.ts';

/** How to read a topic, and the callbacks that get its messages. */
export interface ReadOptions {
  /** Name of the reading group; a random part is added, and the group removed afterwards. */
  readonly group: string;
  /** First offset by partition; the beginning where absent. */
  readonly from?: ReadonlyMap<number, bigint>;
  /** Called first, for each partition, with its first offset: everything before has been deleted. */
  readonly onBeginning?: (partition: number, offset: bigint) => void;
  /** Called for each message, in order within a partition. */
  readonly onMessage: (message: IncomingMessage) => void;
  /** Called for a batch that cannot be read, or for each of its offsets when its end is unknown; reading continues. */
  readonly onUnreadable?: (partition: number, batch: UnreadableBatch) => void;
  /** Reading fails when no message has arrived for this long. */
  readonly stalledAfterMs?: number;
  /** Stops reading, which then fails with the signal's reason. */
  readonly signal?: AbortSignal;
}

const ATTEMPTS = 5;

/**
 * @returns the end by partition: the next offsets to read from
 * @throws ServiceError `kafka.unavailable` in an outage, `internal` in any other failure; the signal's reason
 */
export async function readTopic(
  client: KafkaClient,
  topic: string,
  options: ReadOptions,
): Promise<Map<number, bigint>> {
  let admin: Admin | undefined;
  try {
    admin = await client.admin();
    const ranges = await admin.ranges(topic);
    for (const [partition, { low }] of ranges) options.onBeginning?.(partition, low);
    const next = new Map(
      [...ranges].map(([partition, { low }]) => {
        const from = options.from?.get(partition) ?? low;
        return [partition, from > low ? from : low];
      }),
    );
    const ends = new Map([...ranges].map(([partition, { high }]) => [partition, high]));
    const behind = () => [...ends].some(([partition, end]) => (next.get(partition) ?? end) < end);
    for (let attempt = 1; behind(); attempt += 1) {
      try {
        await readOn(client, topic, { ...options, next, ends, behind }, admin);
      } catch (error) {
        options.signal?.throwIfAborted();
        // A cluster that just started or is moving its coordinators briefly refuses members.
        if (attempt === ATTEMPTS) throw error;
        await sleep(delayAfter(attempt, { firstMs: 200, lastMs: 2_000 }));
      }
    }
    return ends;
  } catch (error) {
    options.signal?.throwIfAborted();
    throw failureOf(error, 'internal');
  } finally {
    await admin?.close().catch(() => undefined);
  }
}

interface Progress extends ReadOptions {
  readonly next: Map<number, bigint>;
  readonly ends: ReadonlyMap<number, bigint>;
  readonly behind: () => boolean;
}

/** Continues from `next` with a new member. */
async function readOn(client: KafkaClient, topic: string, progress: Progress, admin: Admin): Promise<void> {
  const { next, ends, onMessage, behind, stalledAfterMs = 30_000 } = progress;
  const group = `${progress.group}-${randomUUID()}`;
  const { promise: finished, resolve: finish, reject: fail } = Promise.withResolvers<void>();
  const watch = setTimeout(
    () => fail(new ServiceError('kafka.unavailable', { detail: 'Kafka sent nothing for too long' })),
    stalledAfterMs,
  );
  const onAbort = () => fail(progress.signal?.reason);
  progress.signal?.addEventListener('abort', onAbort);
  let member: Member | undefined;
  let assigned: readonly number[] = [];
  const start = () => {
    for (const partition of assigned) {
      member?.seek(partition, next.get(partition) ?? 0n);
      member?.resume(partition);
    }
  };
  try {
    member = await client.join(topic, group, {
      assigned: (partitions) => {
        assigned = partitions;
        start();
      },
      lost: () => undefined,
      polled: () => undefined,
      fetched(partition, { messages, next: reached, unreadable }) {
        const end = ends.get(partition) ?? 0n;
        const from = next.get(partition) ?? 0n;
        for (const message of messages) {
          if (message.offset < end && message.offset >= from) onMessage(message);
        }
        let position = reached;
        if (unreadable !== undefined && position < end) {
          progress.onUnreadable?.(partition, unreadable);
          position = (unreadable.lastOffset ?? unreadable.offset) + 1n;
          member?.seek(partition, position);
        }
        if (position > from) {
          watch.refresh();
          next.set(partition, position);
        }
        if (!behind()) finish();
        return true;
      },
      // The offset was deleted meanwhile: another attempt reads the rest from the partition's new beginning.
      outOfRange: () =>
        fail(new ServiceError('kafka.unavailable', { detail: 'The topic was cut while it was read' })),
      ended: fail,
    });
    start();
    await finished;
  } finally {
    clearTimeout(watch);
    progress.signal?.removeEventListener('abort', onAbort);
    await member?.leave().catch(() => undefined);
    await admin.deleteGroup(group).catch(() => undefined);
  }
}
