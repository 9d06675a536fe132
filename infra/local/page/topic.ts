/** Follows a whole topic from its beginning while the page is open, and continues after each outage of the broker. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { IncomingMessage, KafkaClient, Member } from '../../../shared/kafka/ports.ts';

export interface TopicFollower {
  /** Whether everything on the topic was read. @throws the client's error when Kafka does not answer */
  isAtEnd(): Promise<boolean>;
}

export interface FollowOptions {
  readonly client: KafkaClient;
  readonly topic: string;
  readonly group: string;
  readonly signal: AbortSignal;
  /** Called for each message once, in order within a partition. */
  readonly onMessage: (message: IncomingMessage) => void;
  /** Called once before the first message: whether nothing was ever deleted from the topic. */
  readonly onBeginning: (isComplete: boolean) => void;
}

const AGAIN_AFTER_MS = 500;

export function followTopic(options: FollowOptions): TopicFollower {
  /** The next offset by partition; undefined until Kafka has answered for the first time. */
  let next: Map<number, bigint> | undefined;
  const ranges = async () => {
    const admin = await options.client.admin();
    try {
      return await admin.ranges(options.topic);
    } finally {
      await admin.close().catch(() => undefined);
    }
  };
  const begin = async (): Promise<Map<number, bigint>> => {
    const found = await ranges();
    options.onBeginning([...found.values()].every(({ low }) => low === 0n));
    return new Map([...found].map(([partition, { low }]) => [partition, low]));
  };
  void (async () => {
    while (!options.signal.aborted) {
      await (async () => readOn(options, (next ??= await begin())))().catch(() => undefined);
      await delay(AGAIN_AFTER_MS, undefined, { signal: options.signal }).catch(() => undefined);
    }
  })();
  return {
    async isAtEnd() {
      const ends = await ranges();
      return [...ends].every(([partition, { high }]) => (next?.get(partition) ?? -1n) >= high);
    },
  };
}

/** Reads with a member of its own group until the member ends or the signal is aborted. */
async function readOn(options: FollowOptions, next: Map<number, bigint>): Promise<void> {
  const { client, topic, signal, onMessage } = options;
  const group = `${options.group}-${randomUUID()}`;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => end(), { once: true });
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
      assigned(partitions) {
        assigned = partitions;
        start();
      },
      lost: () => undefined,
      polled: () => undefined,
      fetched(partition, fetched) {
        const from = next.get(partition) ?? 0n;
        for (const message of fetched.messages) if (message.offset >= from) onMessage(message);
        // Skip a batch that cannot be read: the page shows the messages around it.
        const position =
          fetched.unreadable === undefined
            ? fetched.next
            : (fetched.unreadable.lastOffset ?? fetched.unreadable.offset) + 1n;
        if (position > from) next.set(partition, position);
        if (fetched.unreadable !== undefined) member?.seek(partition, position);
        return true;
      },
      outOfRange(partition) {
        next.delete(partition);
        end();
      },
      ended: () => end(),
    });
    start();
    await ended;
  } finally {
    await member?.leave().catch(() => undefined);
    const admin = await client.admin();
    await admin.deleteGroup(group).catch(() => undefined);
    await admin.close().catch(() => undefined);
  }
}
