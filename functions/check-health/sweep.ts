/** Imports files that are still in `incoming/` because their event was lost, or the import died before the move. */
import pLimit from 'p-limit';
import { errorFields } from '../../shared/platform/log.ts';
import { listIncoming } from '../../shared/registration/archive.ts';
import type { FinalizedObject } from '../../shared/registration/bucket.ts';
import { importObject, type ImportDependencies } from '../../shared/registration/import-object.ts';
import { recordIdOf } from '../../shared/store/imports.ts';

export interface Swept {
  /** Files that were handled, with any outcome. */
  readonly imported: number;
  /** Files that are left for the next sweep. */
  readonly failed: number;
}

/**
 * Imports the missed files, oldest first. Logs a file that cannot be imported now and continues with the others.
 * @param olderThanSeconds younger files are left to their event
 * @param signal once aborted, no further import starts
 * @throws ServiceError `storage.unavailable` when `incoming/` cannot be listed
 */
export async function sweepIncoming(
  deps: ImportDependencies,
  olderThanSeconds: number,
  signal: AbortSignal,
): Promise<Swept> {
  const missed = await missedFiles(deps, olderThanSeconds);
  const limit = pLimit(8);
  const done = await limit.map(missed, (object) => !signal.aborted && importMissed(deps, object));
  const imported = done.filter(Boolean).length;
  return { imported, failed: missed.length - imported };
}

async function missedFiles({ bucket, clock }: ImportDependencies, olderThanSeconds: number) {
  const until = clock().subtract({ seconds: olderThanSeconds }).epochMilliseconds;
  const missed: FinalizedObject[] = [];
  for await (const object of listIncoming(bucket)) {
    if (object.uploadedAt.epochMilliseconds <= until) missed.push(object);
  }
  return missed.sort((a, b) => a.uploadedAt.epochMilliseconds - b.uploadedAt.epochMilliseconds);
}

async function importMissed(deps: ImportDependencies, object: FinalizedObject): Promise<boolean> {
  try {
    await importObject(deps, object);
    return true;
  } catch (error) {
    const record_id = recordIdOf(deps.bucket.name, object.name, object.generation);
    deps.log.error('Missed file could not be imported', { record_id, ...errorFields(error) });
    return false;
  }
}
