/**
 * What the Kafka worker last said of itself and of the cluster, for check-health and the operators. One document,
 * written every 10 s by whichever worker is alive: a stale one means that none is.
 */
import type { Firestore } from '@google-cloud/firestore';
import type { UtcTimestamp } from '../platform/clock.ts';
import { translated } from './firestore.ts';

export interface WorkerStatus {
  readonly written_at: UtcTimestamp;
  readonly kafka_reachable: boolean;
  readonly groups: readonly GroupStatus[];
  /** Dead letters that no operator has dealt with; null while Kafka cannot be asked. */
  readonly dead_letters: number | null;
  /** When this worker last held the relay and found or sent everything; null if it never did. */
  readonly last_relay_at: UtcTimestamp | null;
}

export interface GroupStatus {
  readonly group: string;
  readonly topic: string;
  /** Messages not yet applied; null while Kafka cannot be asked. */
  readonly lag: number | null;
  readonly last_poll_at: UtcTimestamp | null;
}

function statusDoc(db: Firestore) {
  return db.collection('worker_status').doc('kafka-worker');
}

/** @throws ServiceError `store.unavailable` */
export async function writeWorkerStatus(db: Firestore, status: WorkerStatus): Promise<void> {
  await translated(() => statusDoc(db).set(status));
}

/** Undefined before the first worker has written it. @throws ServiceError `store.unavailable` */
export async function readWorkerStatus(db: Firestore): Promise<WorkerStatus | undefined> {
  const snapshot = await translated(() => statusDoc(db).get());
  return snapshot.data() as WorkerStatus | undefined;
}
