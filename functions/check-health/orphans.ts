/**
 * Removes copies in the archive that no record owns. An importer that died between its copy and the question whether the
 * person was erased meanwhile leaves one behind, and the file's event may never come again.
 */
import type { Bucket } from '@google-cloud/storage';
import type { Firestore } from '@google-cloud/firestore';
import type { Clock } from '../../shared/platform/clock.ts';
import type { Log } from '../../shared/platform/log.ts';
import { recordOfCopy } from '../../shared/registration/archive.ts';
import { deleteVersion, type FinalizedObject } from '../../shared/registration/bucket.ts';
import { mayBeLost, readFence } from '../../shared/registration/restore-fence.ts';
import { existingImports } from '../../shared/store/imports.ts';

export interface OrphanDependencies {
  readonly db: Firestore;
  readonly bucket: Bucket;
  readonly clock: Clock;
  readonly log: Log;
}

/** An importer is done with a copy long before. */
const AT_WORK_MINUTES = 60;
/** A run removes so many and leaves the rest to the walk of the next day. */
const AT_MOST = 100;

/**
 * Looks at some objects of the bucket. After a restore, the copies of registrations that the database lost are kept: they are
 * all that is left of them.
 * @returns how many were removed, at most 100
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
    log.warn('A copy that no record owns was removed', { record_id: recordId });
  }
  return orphans.length;
}
