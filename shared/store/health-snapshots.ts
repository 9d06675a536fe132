/**
 * What each scheduled run of check-health saw: kept for the trend, and the newest one tells the next run and
 * `/health` what is too slow to find out at every call.
 */
import type { CollectionReference, Firestore, Query } from '@google-cloud/firestore';
import type { Instant, UtcTimestamp } from '../platform/clock.ts';
import { translated } from './firestore.ts';
import { expiryOf } from './kept-days.ts';

/** What one scheduled run found, and what the next one needs of it. */
export interface HealthSnapshot {
  readonly taken_at: UtcTimestamp;
  readonly status: string;
  /** The verdict's checks with their figures, as `/health` answers them. */
  readonly checks: Readonly<Record<string, unknown>>;
  /** When a run last looked through `incoming/`; carried over by runs that did not. */
  readonly swept_at: UtcTimestamp | null;
  readonly bucket: BucketSize | null;
  /** When a walk last looked for copies that no record owns; carried over by runs that did not. */
  readonly orphans_sought_at: UtcTimestamp | null;
  /** A walk that is under way. */
  readonly walk: BucketWalk | null;
  /** Null where no rule is on, or it could not be told. */
  readonly retention: RetentionFigures | null;
}

/** What one run did about patients whose time is over. `paused` says why it erased nobody. */
export interface RetentionFigures {
  /** Patients whom the run erased. */
  readonly erased: number;
  /** Patients whom it left to the next ones. */
  readonly due: number;
  readonly paused: string | null;
}

/** How far a walk through the bucket has come. */
export interface BucketWalk {
  readonly bytes: number;
  readonly begun_at: UtcTimestamp;
  readonly took_ms: number;
  /** Whether this walk also looks for copies that no record owns. */
  readonly seeks_orphans: boolean;
  /** Cloud Storage's; null before the first page. */
  readonly page_token: string | null;
}

/** The size of all objects in the bucket. */
export interface BucketSize {
  readonly bytes: number;
  readonly measured_at: UtcTimestamp;
  /** How long it took to add up. */
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
