/**
 * The restore fence distinguishes a database restored from a backup from the one whose events were published. Two marks
 * are raised together: `fences/current` here, and one in the bucket, which a restore of the database does not change. A
 * restored copy has an older mark or none, and neither relays nor allocates ids until
 * `ops restore fence --apply` has raised it above what was published (docs/runbooks/restore.md).
 */
import type { DocumentReference, DocumentSnapshot, Firestore } from '@google-cloud/firestore';
import type { UtcTimestamp } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { inTransaction, translated } from './firestore.ts';

/** The mark that is kept in the database and in the bucket. */
export interface Mark {
  /** Random; a new one after each restore. */
  readonly incarnation: string;
  /** Rises while a worker relays. */
  readonly generation: number;
  readonly marked_at: UtcTimestamp;
}

/** The time whose changes a restore lost: from the snapshot until the fence was raised. */
export interface LostTime {
  /** Null: the age of the snapshot is not known. */
  readonly from: UtcTimestamp | null;
  readonly until: UtcTimestamp;
}

/** The mark in the database. */
export interface InsideMark extends Mark {
  /** True once the bucket has held a mark of this incarnation: from then on it must. */
  readonly recorded: boolean;
  readonly lost: readonly LostTime[];
}

/** Why a database is fenced. */
export type FenceFault = 'mark_missing' | 'mark_foreign' | 'mark_older' | 'bucket_mark_missing';

/** Each fault in words, for operators. */
export const fenceFaults: Readonly<Record<FenceFault, string>> = {
  mark_missing: 'the bucket knows of an earlier database, and this one has no mark',
  mark_foreign: "the database's mark and that of the bucket have different incarnations",
  mark_older: "the database is older than the bucket's mark: it was restored",
  bucket_mark_missing: 'the mark in the bucket is gone, and the ledger of erasures may be gone with it',
};

/** Why the database must not publish; undefined when it may. Its mark is written before the bucket's and may be ahead. */
export function fenceFaultOf(
  inside: InsideMark | undefined,
  outside: Mark | undefined,
): FenceFault | undefined {
  if (inside === undefined) return outside === undefined ? undefined : 'mark_missing';
  if (outside === undefined) return inside.recorded ? 'bucket_mark_missing' : undefined;
  if (inside.incarnation !== outside.incarnation) return 'mark_foreign';
  return inside.generation < outside.generation ? 'mark_older' : undefined;
}

/** @throws ServiceError `store.fenced` */
export function refuseFenced(inside: InsideMark | undefined, outside: Mark | undefined): void {
  const fault = fenceFaultOf(inside, outside);
  if (fault !== undefined) throw new ServiceError('store.fenced', { detail: fenceFaults[fault] });
}

/** The document of the database's mark. */
export function markDoc(db: Firestore): DocumentReference {
  return db.collection('fences').doc('current');
}

/** The mark that a snapshot holds; undefined when the document does not exist. */
export function markIn(snapshot: DocumentSnapshot | undefined): InsideMark | undefined {
  return snapshot?.data() as InsideMark | undefined;
}

/** @throws ServiceError `store.unavailable` */
export async function readInsideMark(db: Firestore): Promise<InsideMark | undefined> {
  return markIn(await translated(() => markDoc(db).get()));
}

/**
 * Raises the mark by one generation; the first one begins an incarnation.
 * @param outside the bucket's mark, read before
 * @throws ServiceError `store.fenced`, `store.*`
 */
export function raiseInsideMark(
  db: Firestore,
  outside: Mark | undefined,
  first: { readonly incarnation: string; readonly at: UtcTimestamp },
): Promise<InsideMark> {
  return inTransaction(db, async (transaction) => {
    const inside = markIn(await transaction.get(markDoc(db)));
    refuseFenced(inside, outside);
    const raised: InsideMark = {
      incarnation: inside?.incarnation ?? first.incarnation,
      generation: (inside?.generation ?? 0) + 1,
      marked_at: first.at,
      recorded: outside !== undefined,
      lost: inside?.lost ?? [],
    };
    transaction.set(markDoc(db), raised);
    return raised;
  });
}

/** Notes that the bucket holds the mark. @throws ServiceError `store.*` */
export async function noteRecorded(db: Firestore, { incarnation }: Mark): Promise<void> {
  await inTransaction(db, async (transaction) => {
    const inside = markIn(await transaction.get(markDoc(db)));
    if (inside?.incarnation === incarnation) transaction.update(markDoc(db), { recorded: true });
  });
}

/** Replaces the database's mark with one of a new incarnation. @throws ServiceError `store.*` */
export async function replaceInsideMark(db: Firestore, mark: InsideMark): Promise<void> {
  await translated(() => markDoc(db).set(mark));
}
