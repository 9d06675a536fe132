/**
 * Deletes orphans: copies in the archive without a record. One is left behind when an importer dies after its copy and
 * before it checks whether the person was erased meanwhile. The file's event may never be delivered again.
 */
import type { Firestore } from '@google-cloud/firestore';
import type { Clock } from '../../shared/platform/clock.ts';
import type { Log } from '../../shared/platform/log.ts';
import { recordOfCopy } from '../../shared/registration/archive.ts';
import { deleteVersion, type FinalizedObject, type ImportBucket } from '../../shared/registration/bucket.ts';
import { mayBeLost, readFence } from '../../shared/registration/restore-fence.ts';
import { existingImports } from '../../shared/store/imports.ts';

export interface OrphanDependencies {
  readonly db: Firestore;
  readonly bucket: ImportBucket;
  readonly clock: Clock;
  readonly log: Log;
}

/** Younger copies are skipped: their importer may still be working. */
const AT_WORK_MINUTES = 60;
/** Deletions per run. The rest is left to the next day's search. */
const AT_MOST = 100;

/**
 * Deletes the orphans among some objects of the bucket. Keeps copies of registrations that the database may have lost in
 * a restore, because nothing else is left of them.
 * @returns how many were deleted, at most 100
 * @throws ServiceError `store.unavailable`, `storage.unavailable`
 */
export async function removeOrphans(
  { db, bucket, clock, log }: OrphanDependencies,
  objects: readonly FinalizedObject[],
): Promise<number> {
  const settledAt = clock().subtract({ minutes: AT_WORK_MINUTES }).epochMilliseconds;
  const copies = objects.flatMap((object) => {
    const recordId = recordOfCopy(object.name);
    const isSettled = object.uploadedAt.epochMilliseconds < settledAt;
    return recordId === undefined || !isSettled ? [] : [{ object, recordId }];
  });
  const owned = await existingImports(
    db,
    copies.map(({ recordId }) => recordId),
  );
  const unowned = copies.filter(({ recordId }) => !owned.has(recordId));
  if (unowned.length === 0) return 0;
  const fence = await readFence({ db, bucket });
  const orphans = unowned.filter(({ object }) => !mayBeLost(fence, object.uploadedAt)).slice(0, AT_MOST);
  for (const { object, recordId } of orphans) {
    await deleteVersion(bucket, object);
    log.warn('Archived copy without a record deleted', { record_id: recordId });
  }
  return orphans.length;
}
