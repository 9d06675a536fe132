/**
 * The last status that a Kafka worker reported of itself and of the cluster, for check-health and the operators. One
 * document, written every 10 s by each living worker: when it is stale, no worker is alive.
 */
import type { Firestore } from '@google-cloud/firestore';
import type { UtcTimestamp } from '../platform/clock.ts';
import { translated } from './firestore.ts';

/** What a worker reports every few seconds. */
export interface WorkerStatus {
  readonly written_at: UtcTimestamp;
  readonly kafka_reachable: boolean;
  readonly groups: readonly GroupStatus[];
  /** Dead letters that no operator has dealt with; null while Kafka cannot be asked. */
  readonly dead_letters: number | null;
  /** This worker led and saw every shard of the outbox empty at this time or later; null if it never did. */
  readonly last_relay_at: UtcTimestamp | null;
  /** Batches that no worker can read and no operator has passed over; null while Firestore does not answer. */
  readonly unreadable: readonly UnreadableStatus[] | null;
}

/** One consumer group of the report. */
export interface GroupStatus {
  readonly group: string;
  readonly topic: string;
  /** Messages not yet applied; null while Kafka cannot be asked. */
  readonly lag: number | null;
  readonly last_poll_at: UtcTimestamp | null;
  /** By partition, as Kafka last answered. */
  readonly partitions: readonly PartitionStatus[];
}

/** One partition of a group. */
export interface PartitionStatus {
  readonly partition: number;
  /** The next offset that the group will read, in decimal; null when it has never committed one. */
  readonly committed: string | null;
  /** Messages not yet applied. */
  readonly lag: number;
  /** Since when messages have waited without a new committed offset; null when none waits. */
  readonly waiting_since: UtcTimestamp | null;
}

/** An unreadable batch at which a partition is stopped. */
export interface UnreadableStatus {
  readonly topic: string;
  readonly partition: number;
  /** First offset of the batch, in decimal. */
  readonly offset: string;
  /** What is wrong with it, in words. */
  readonly reason: string;
}

function statusDoc(db: Firestore) {
  return db.collection('worker_status').doc('kafka-worker');
}

/** @throws ServiceError `store.unavailable` */
export async function writeWorkerStatus(db: Firestore, status: WorkerStatus): Promise<void> {
  await translated(() => statusDoc(db).set(status));
}

/** The last status; undefined before the first worker has written it. @throws ServiceError `store.unavailable` */
export async function readWorkerStatus(db: Firestore): Promise<WorkerStatus | undefined> {
  const snapshot = await translated(() => statusDoc(db).get());
  const stored = snapshot.data() as StoredStatus | undefined;
  if (stored === undefined) return undefined;
  const groups = stored.groups.map((group) => ({ ...group, partitions: group.partitions ?? [] }));
  return { ...stored, groups, unreadable: stored.unreadable ?? [] };
}

/** A worker of an earlier release writes neither partitions nor unreadable batches. */
interface StoredStatus extends Omit<WorkerStatus, 'groups' | 'unreadable'> {
  readonly groups: readonly (Omit<GroupStatus, 'partitions'> & Partial<Pick<GroupStatus, 'partitions'>>)[];
  readonly unreadable?: WorkerStatus['unreadable'];
}
