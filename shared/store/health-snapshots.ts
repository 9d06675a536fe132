/**
 * The results of each scheduled run of check-health, kept for the trend. From the newest one the next run and `/health`
 * take the figures that are too slow to compute at every call.
 */
import type { CollectionReference, Firestore, Query } from '@google-cloud/firestore';
import type { Instant, UtcTimestamp } from '../platform/clock.ts';
import { translated } from './firestore.ts';
import { expiryOf } from './kept-days.ts';

/** The results of one scheduled run, and the state that the next run needs. */
export interface HealthSnapshot {
  readonly taken_at: UtcTimestamp;
  readonly status: string;
  /** The checks with their figures, as `/health` returns them. */
  readonly checks: Readonly<Record<string, unknown>>;
  /** When a run last swept `incoming/`; copied by runs that did not. */
  readonly swept_at: UtcTimestamp | null;
  readonly bucket: BucketSize | null;
  /** When a walk last looked for copies that no record owns; copied by runs that did not. */
  readonly orphans_sought_at: UtcTimestamp | null;
  /** The walk in progress; null when there is none. */
  readonly walk: BucketWalk | null;
  /** Null when no rule is enabled or the figures could not be computed. */
  readonly retention: RetentionFigures | null;
}

/** What one run did about patients whose retention period is over. `paused` says why it erased nobody. */
export interface RetentionFigures {
  /** Patients whom the run erased. */
  readonly erased: number;
  /** Patients who are due and are left to the next runs. */
  readonly due: number;
  readonly paused: string | null;
}

/** Progress of a walk through the bucket. */
export interface BucketWalk {
  readonly bytes: number;
  readonly begun_at: UtcTimestamp;
  readonly took_ms: number;
  /** Whether this walk also looks for copies that no record owns. */
  readonly seeks_orphans: boolean;
  /** Page token of Cloud Storage; null before the first page. */
  readonly page_token: string | null;
}

/** The size of all objects in the bucket. */
export interface BucketSize {
  readonly bytes: number;
  readonly measured_at: UtcTimestamp;
  /** How long adding up took. */
  readonly took_ms: number;
}

/** The collection `health_snapshots`. */
export function snapshotDocs(db: Firestore): CollectionReference {
  return db.collection('health_snapshots');
}

/** @throws ServiceError `store.unavailable` */
export async function writeSnapshot(db: Firestore, snapshot: HealthSnapshot, now: Instant): Promise<void> {
  const expires = expiryOf('healthSnapshots', now);
  await translated(() => snapshotDocs(db).add({ ...snapshot, expires_at: expires }));
}

/** The newest snapshot. */
export function newestSnapshotQuery(db: Firestore): Query {
  return snapshotDocs(db).orderBy('taken_at', 'desc').limit(1);
}

/** Undefined before the first run. @throws ServiceError `store.unavailable` */
export async function readNewestSnapshot(db: Firestore): Promise<HealthSnapshot | undefined> {
  const page = await translated(() => newestSnapshotQuery(db).get());
  return page.docs[0]?.data() as HealthSnapshot | undefined;
}
