/**
 * Maintains the two marks of the restore fence: one in the database (shared/store/fence.ts), one in the bucket, an object
 * below `fence/`. The database's mark is written first. So after a crash it may be ahead, but never behind like a restore.
 */
import { randomUUID } from 'node:crypto';
import type { Firestore } from '@google-cloud/firestore';
import { utcTimestamp, type Clock, type Instant } from '../platform/clock.ts';
import {
  fenceFaultOf,
  noteRecorded,
  raiseInsideMark,
  readInsideMark,
  refuseFenced,
  replaceInsideMark,
  type FenceFault,
  type InsideMark,
  type LostTime,
  type Mark,
} from '../store/fence.ts';
import { readLabels, replaceLabels, type ImportBucket, type Labelled } from './bucket.ts';

/** Prefix of the bucket's mark. */
export const FENCE = 'fence/';
const OBJECT = `${FENCE}current.json`;

/** What the fence needs. */
export interface FenceDependencies {
  readonly db: Firestore;
  readonly bucket: ImportBucket;
  readonly clock: Clock;
}

/** Both marks, and what they say about the database. */
export interface FenceState {
  /** Undefined when the database is not a restored copy and may publish. */
  readonly fault: FenceFault | undefined;
  readonly inside: InsideMark | undefined;
  readonly outside: Mark | undefined;
}

/** Reads and compares both marks. @throws ServiceError `store.unavailable`, `storage.unavailable` */
export async function readFence(deps: Omit<FenceDependencies, 'clock'>): Promise<FenceState> {
  const state = await readMarks(deps);
  // The bucket's first mark may have been written between the two reads, so read once more.
  return state.fault === 'bucket_mark_missing' ? readMarks(deps) : state;
}

async function readMarks({ db, bucket }: Omit<FenceDependencies, 'clock'>): Promise<FenceState> {
  // Read the bucket first, so that a mark raised meanwhile does not make the database look old.
  const outside = await readOutsideMark(bucket);
  const inside = await readInsideMark(db);
  return { fault: fenceFaultOf(inside, outside), inside, outside };
}

/** A file is delivered, and redelivered, for a day after its upload. */
const DELIVERED_WITHIN_HOURS = 24;

/**
 * Whether the record of a file uploaded at this instant may be missing because the database was restored. Then the
 * patient had been registered, and the archived file is all that is left.
 */
export function mayBeLost({ fault, inside }: FenceState, uploadedAt: Instant): boolean {
  if (fault !== undefined) return true;
  const at = utcTimestamp(uploadedAt);
  const taken = utcTimestamp(uploadedAt.add({ hours: DELIVERED_WITHIN_HOURS }));
  return (inside?.lost ?? []).some(({ from, until }) => (from ?? '') <= taken && at <= until);
}

/** The bucket's mark; undefined before the first one. @throws ServiceError `storage.unavailable` */
export async function readOutsideMark(bucket: ImportBucket): Promise<Mark | undefined> {
  return markOf(await readLabels(bucket, OBJECT));
}

/**
 * Raises both marks, so that every copy of the database made before now is recognised as old.
 * @throws ServiceError `store.fenced` when this database is such a copy, `store.*`, `storage.unavailable`
 */
export async function raiseMarks({ db, bucket, clock }: FenceDependencies): Promise<void> {
  const object = await readLabels(bucket, OBJECT);
  const outside = markOf(object);
  const first = { incarnation: randomUUID(), at: utcTimestamp(clock()) };
  const inside = await raiseInsideMark(db, outside, first);
  await replaceLabels(bucket, OBJECT, labelsOf(inside), object);
  if (!inside.recorded) await noteRecorded(db, inside);
}

/**
 * Releases a restored database: both marks start a new incarnation.
 * @throws ServiceError `store.*`, `storage.unavailable`
 */
export async function releaseFence({ db, bucket, clock }: FenceDependencies, lost: LostTime): Promise<void> {
  const object = await readLabels(bucket, OBJECT);
  const inside = await readInsideMark(db);
  const mark: InsideMark = {
    incarnation: randomUUID(),
    generation: Math.max(inside?.generation ?? 0, markOf(object)?.generation ?? 0) + 1,
    marked_at: utcTimestamp(clock()),
    recorded: true,
    lost: [...(inside?.lost ?? []), lost],
  };
  await replaceInsideMark(db, mark);
  await replaceLabels(bucket, OBJECT, labelsOf(mark), object);
  refuseFenced(mark, await readOutsideMark(bucket));
}

function labelsOf({ incarnation, generation, marked_at }: Mark): Record<string, string> {
  return { incarnation, generation: String(generation), marked_at };
}

function markOf(object: Labelled | undefined): Mark | undefined {
  if (object === undefined) return undefined;
  const { incarnation = '', generation, marked_at = '' } = object.labels;
  return { incarnation, generation: Number(generation ?? 0), marked_at };
}
