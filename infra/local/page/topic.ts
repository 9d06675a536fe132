/** Follows a whole topic from its beginning while the page is open, and continues after each outage of the broker. */
import { setTimeout as delay } from 'node:timers/promises';
import { isAtEnd, readPartitions } from '../../../shared/kafka/partition-reader.ts';
import type { Admin, IncomingMessage, KafkaClient } from '../../../shared/kafka/ports.ts';

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
  /**
   * Called before the first message: whether nothing was ever deleted from the topic. Called again when its next messages
   * were deleted: then it is read from its new beginning.
   */
  readonly onBeginning: (isComplete: boolean) => void;
}

const AGAIN_AFTER_MS = 500;

export function followTopic({ client, topic, onBeginning, ...options }: FollowOptions): TopicFollower {
  const { signal } = options;
  /** The next offset by partition; empty until Kafka has answered for the first time. */
  const next = new Map<number, bigint>();
  let partitions = 0;
  const follow = async (admin: Admin) => {
    if (partitions === 0 || next.size < partitions) {
      const ranges = await admin.ranges(topic);
      partitions = ranges.size;
      for (const [partition, { low }] of ranges) next.set(partition, low);
      onBeginning([...next.values()].every((low) => low === 0n));
    }
    // A batch that cannot be read is skipped: the page shows the messages around it.
    await readPartitions(client, admin, { ...options, topic, next });
  };
  void (async () => {
    while (!signal.aborted) {
      await withAdmin(client, follow).catch(() => undefined);
      await delay(AGAIN_AFTER_MS, undefined, { signal }).catch(() => undefined);
    }
  })();
  return {
    async isAtEnd() {
      const ranges = await withAdmin(client, (admin) => admin.ranges(topic));
      const ends = new Map([...ranges].map(([partition, { high }]) => [partition, high]));
      return next.size > 0 && isAtEnd(next, ends);
    },
  };
}

async function withAdmin<T>(client: KafkaClient, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = await client.admin();
  try {
    return await work(admin);
  } finally {
    await admin.close().catch(() => undefined);
  }
}
