/**
 * Keeps the two marks of the restore fence together: the database's (shared/store/fence.ts) and the bucket's, an object
 * below `fence/`. The database's is written first, so a crash between the two leaves it ahead, which a restore never does.
 */
import { randomUUID } from 'node:crypto';
import type { Bucket } from '@google-cloud/storage';
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
import { readLabels, replaceLabels, type Labelled } from './bucket.ts';

const OBJECT = 'fence/current.json';

export interface FenceDependencies {
  readonly db: Firestore;
  readonly bucket: Bucket;
  readonly clock: Clock;
}

export interface FenceState {
  /** Undefined: the database may be published from. */
  readonly fault: FenceFault | undefined;
  readonly inside: InsideMark | undefined;
  readonly outside: Mark | undefined;
}

/** @throws ServiceError `store.unavailable`, `storage.unavailable` */
export async function readFence(deps: Omit<FenceDependencies, 'clock'>): Promise<FenceState> {
  const state = await readMarks(deps);
  // The bucket's first mark may have been written between the two reads: a second look tells.
  return state.fault === 'bucket_mark_missing' ? readMarks(deps) : state;
}

async function readMarks({ db, bucket }: Omit<FenceDependencies, 'clock'>): Promise<FenceState> {
  // The bucket first: a mark that rises meanwhile must not look like a database that has fallen behind.
  const outside = await readOutsideMark(bucket);
  const inside = await readInsideMark(db);
  return { fault: fenceFaultOf(inside, outside), inside, outside };
}

/** A file is delivered, and delivered again, for a day after its upload. */
const DELIVERED_WITHIN_HOURS = 24;

/**
 * True where the record of a file uploaded then may be missing because the database was restored: its patient was
 * registered once, and the archived file is all that is left of them.
 */
export function mayBeLost({ fault, inside }: FenceState, uploadedAt: Instant): boolean {
  if (fault !== undefined) return true;
  const at = utcTimestamp(uploadedAt);
  const taken = utcTimestamp(uploadedAt.add({ hours: DELIVERED_WITHIN_HOURS }));
  return (inside?.lost ?? []).some(({ from, until }) => (from ?? '') <= taken && at <= until);
}

/** @throws ServiceError `storage.unavailable` */
export async function readOutsideMark(bucket: Bucket): Promise<Mark | undefined> {
  return markOf(await readLabels(bucket, OBJECT));
}

/**
 * Raises both marks, so that every copy of the database made before now is known as old.
 * @throws ServiceError `store.fenced` when this copy is one, `store.*`, `storage.unavailable`
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
 * Releases a database that was restored: both marks begin a new incarnation.
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
