/**
 * What this service needs of Kafka, in its own words: the client, its producer, its administration and its members
 * of consumer groups. Implemented by kafkajs.ts.
 */
import type { CommittedOffset, OffsetRange } from './position.ts';
import type { UnreadableBatch } from './record-set.ts';

/** Header values by name; null is a header without a value. */
export type Headers = Readonly<Record<string, string | Buffer | null>>;

/** A message to send. Without `partition` the key's murmur2 hash decides, as in Kafka's Java client. */
export interface OutgoingMessage {
  readonly topic: string;
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers?: Headers;
  readonly partition?: number;
}

/** A message as read. */
export interface IncomingMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** When it was appended or created, in milliseconds since the epoch. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Headers;
}

/** One connection of an idempotent producer. After a failed send it must not be used again. */
export interface Producer {
  /** Resolves when all in-sync replicas have the messages; order is kept within a partition. */
  send(messages: readonly OutgoingMessage[]): Promise<void>;
  close(): Promise<void>;
}

/** An administrator's connection. Methods reject with the client's error when Kafka cannot be asked. */
export interface Admin {
  /** Range by partition. Fails when the topic does not exist. */
  ranges(topic: string): Promise<Map<number, OffsetRange>>;
  /** What the group has stored, by partition; partitions without a commit are absent. */
  committed(group: string, topic: string): Promise<Map<number, CommittedOffset>>;
  /** The id that the topic got when it was created: another one of the same name has another. Undefined before Kafka 3.1. */
  topicId(topic: string): Promise<string | undefined>;
  /** Removes everything before `offset`. */
  deleteBefore(topic: string, partition: number, offset: bigint): Promise<void>;
  deleteGroup(group: string): Promise<void>;
  /** Lets a group that nobody has joined begin at what was appended at or after `time`, milliseconds since the epoch. */
  rewind(group: string, topic: string, time: number): Promise<void>;
  createTopics(topics: readonly { name: string; partitions: number }[]): Promise<void>;
  close(): Promise<void>;
}

/** What a member of a consumer group is told. Callbacks are synchronous: kafkajs does not wait for them. */
export interface MemberEvents {
  /** The partitions are ours until the next call or `lost`. All are paused; `seek` and `resume` start them. */
  assigned(partitions: readonly number[]): void;
  /** The group is about to share out its partitions anew. */
  lost(): void;
  /** A fetch of the partition came back; false refuses what it brought, which will be fetched again. */
  fetched(partition: number, fetched: Fetched): boolean;
  /** The partition has no such position: it begins behind it, or ends before it. */
  outOfRange(partition: number): void;
  /** A fetch came back, with or without messages. */
  polled(): void;
  /** The member has ended by itself. */
  ended(error: unknown): void;
}

/** What a fetch brought of one partition. */
export interface Fetched {
  readonly messages: readonly IncomingMessage[];
  /** Everything before it is in `messages`, or holds no message: markers and aborted messages of transactions. */
  readonly next: bigint;
  /** The batch at `next`, if it cannot be read. */
  readonly unreadable: UnreadableBatch | undefined;
  /** The topic's id as the client knew it when it asked. */
  readonly topicId: string | undefined;
}

/** A member of a consumer group. */
export interface Member {
  /** The next message to be fetched. Fetches under way for the partition are thrown away. */
  seek(partition: number, offset: bigint): void;
  pause(partition: number): void;
  resume(partition: number): void;
  /** Stores for the group the next offset of each partition, and which topic they are of. */
  commit(offsets: ReadonlyMap<number, bigint>, topicId: string | undefined): Promise<void>;
  leave(): Promise<void>;
}

/**
 * Opens connections to the configured brokers. Each method rejects with the client's error when it cannot connect.
 */
export interface KafkaClient {
  producer(): Promise<Producer>;
  admin(): Promise<Admin>;
  join(topic: string, group: string, events: MemberEvents): Promise<Member>;
}
