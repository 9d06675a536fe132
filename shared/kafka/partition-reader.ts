/** Reads the partitions of a topic with one member of a consumer group that exists only for this. */
import { randomUUID } from 'node:crypto';
import { ServiceError } from '../platform/errors.ts';
import type { Admin, IncomingMessage, KafkaClient, Member } from './ports.ts';
import type { UnreadableBatch } from './record-set.ts';

/** What to read, and the callbacks that get it. */
export interface Reading {
  readonly topic: string;
  /** Name of the reading group; a random part is added, and the group removed afterwards. */
  readonly group: string;
  /** The next offset by partition. It advances while reading. A partition whose offset was deleted is removed from it. */
  readonly next: Map<number, bigint>;
  /** The partitions to read, with the first offset that is not read. Without it all are read, and reading never ends by itself. */
  readonly ends?: ReadonlyMap<number, bigint>;
  /** Called for each message, in order within a partition. */
  readonly onMessage: (message: IncomingMessage) => void;
  /** Called for a batch that cannot be read, or for each of its offsets when its end is unknown; reading continues. */
  readonly onUnreadable?: (partition: number, batch: UnreadableBatch) => void;
  /** Reading fails when no partition has advanced for this long; never by default. */
  readonly stalledAfterMs?: number;
  /** Stops reading, which then fails with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Continues from `next` until all partitions are at their ends.
 * @throws ServiceError `kafka.unavailable` when it stalls or an offset was deleted; the client's error; the signal's reason
 */
export async function readPartitions(client: KafkaClient, admin: Admin, reading: Reading): Promise<void> {
  const { topic, next, ends, signal, stalledAfterMs } = reading;
  const group = `${reading.group}-${randomUUID()}`;
  const { promise: finished, resolve: finish, reject: fail } = Promise.withResolvers<void>();
  const onAbort = () => fail(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  const watch =
    stalledAfterMs === undefined
      ? undefined
      : setTimeout(() => fail(unavailable('Kafka sent nothing for too long')), stalledAfterMs);
  let member: Member | undefined;
  let assigned: readonly number[] = [];
  const start = () => {
    for (const partition of assigned) {
      if (ends?.has(partition) === false) continue;
      member?.seek(partition, next.get(partition) ?? 0n);
      member?.resume(partition);
    }
  };
  try {
    member = await client.join(topic, group, {
      assigned(partitions) {
        assigned = partitions;
        start();
      },
      lost: () => undefined,
      polled: () => undefined,
      fetched(partition, { messages, next: reached, unreadable }) {
        const from = next.get(partition) ?? 0n;
        const isWanted = (offset: bigint) => ends === undefined || offset < (ends.get(partition) ?? 0n);
        for (const message of messages) {
          if (message.offset >= from && isWanted(message.offset)) reading.onMessage(message);
        }
        let position = reached;
        if (unreadable !== undefined && isWanted(position)) {
          reading.onUnreadable?.(partition, unreadable);
          position = (unreadable.lastOffset ?? unreadable.offset) + 1n;
          member?.seek(partition, position);
        }
        if (position > from) {
          watch?.refresh();
          next.set(partition, position);
        }
        if (ends !== undefined && isAtEnd(next, ends)) finish();
        return true;
      },
      outOfRange(partition) {
        next.delete(partition);
        fail(unavailable('Messages of the topic were deleted while it was read'));
      },
      ended: fail,
    });
    start();
    await finished;
  } finally {
    clearTimeout(watch);
    signal?.removeEventListener('abort', onAbort);
    await member?.leave().catch(() => undefined);
    await admin.deleteGroup(group).catch(() => undefined);
  }
}

/** Whether every partition has been read up to its end. */
export function isAtEnd(next: ReadonlyMap<number, bigint>, ends: ReadonlyMap<number, bigint>): boolean {
  return [...ends].every(([partition, end]) => (next.get(partition) ?? 0n) >= end);
}

function unavailable(detail: string): ServiceError {
  return new ServiceError('kafka.unavailable', { detail });
}
