/**
 * The interfaces through which this service uses Kafka: the client, its producer, its administration and its members of
 * consumer groups. Implemented by kafkajs.ts.
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

/** A message read from a topic. */
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

/** One connection of an idempotent producer. Do not use it again after a failed send. */
export interface Producer {
  /** Resolves when all in-sync replicas have the messages; order is kept within a partition. */
  send(messages: readonly OutgoingMessage[]): Promise<void>;
  close(): Promise<void>;
}

/** An administrative connection. Methods reject with the client's error when Kafka does not answer. */
export interface Admin {
  /** Range by partition. Fails when the topic does not exist. */
  ranges(topic: string): Promise<Map<number, OffsetRange>>;
  /** The group's committed offsets by partition; partitions without a commit are absent. */
  committed(group: string, topic: string): Promise<Map<number, CommittedOffset>>;
  /** The topic's id, which changes when the topic is deleted and created again. Undefined before Kafka 3.1. */
  topicId(topic: string): Promise<string | undefined>;
  /** Removes everything before `offset`. */
  deleteBefore(topic: string, partition: number, offset: bigint): Promise<void>;
  deleteGroup(group: string): Promise<void>;
  /** Moves a group without members to the first messages appended at or after `time`, in milliseconds since the epoch. */
  rewind(group: string, topic: string, time: number): Promise<void>;
  createTopics(topics: readonly { name: string; partitions: number }[]): Promise<void>;
  close(): Promise<void>;
}

/** Callbacks of a member of a consumer group. They are synchronous: kafkajs does not wait for them. */
export interface MemberEvents {
  /** The partitions are ours until the next call or `lost`. All are paused; `seek` and `resume` start them. */
  assigned(partitions: readonly number[]): void;
  /** A rebalance of the group begins. */
  lost(): void;
  /** A fetch of the partition returned. Return false to refuse its result, which is then fetched again. */
  fetched(partition: number, fetched: Fetched): boolean;
  /** The position is outside of the partition: before its first offset or after its end. */
  outOfRange(partition: number): void;
  /** A fetch returned, with or without messages. */
  polled(): void;
  /** The member has ended by itself. */
  ended(error: unknown): void;
}

/** The result of a fetch for one partition. */
export interface Fetched {
  readonly messages: readonly IncomingMessage[];
  /** The next offset to fetch. Earlier offsets missing in `messages` hold transaction markers or aborted messages. */
  readonly next: bigint;
  /** The batch at `next`, if it cannot be read. */
  readonly unreadable: UnreadableBatch | undefined;
  /** The topic's id as the client knew it when it sent the fetch. */
  readonly topicId: string | undefined;
}

/** A member of a consumer group. */
export interface Member {
  /** Sets the next offset to fetch. The results of running fetches of the partition are discarded. */
  seek(partition: number, offset: bigint): void;
  pause(partition: number): void;
  resume(partition: number): void;
  /** Commits the next offset of each partition for the group, with the id of their topic. */
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
