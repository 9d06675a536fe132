/**
 * Erases a person from the database and the bucket (docs/domain.md#erasure-and-retention). Every step may be repeated. If
 * the process dies, a repeated request or check-health's scheduled run completes the erasure.
 */
import type { Firestore } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import { parseTimestamp, type Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { errorFields } from '../platform/log.ts';
import { logAuditEntry, logCompletedErasure, removeAuditEntries } from '../store/audit-trail.ts';
import {
  announceErasure,
  beginErasure,
  closeErasure,
  eraseHistory,
  eraseImportRecord,
  erasePending,
  openErasures,
  putBackErasure,
  type Erasure,
  type ErasureOptions,
} from '../store/erasures.ts';
import { buryIdempotencyKeys } from '../store/idempotency-keys.ts';
import { recordIdOf, type RecordId } from '../store/imports.ts';
import { filesOf, type PersonFile } from '../store/person-files.ts';
import { listIncoming } from './archive.ts';
import { deleteObject, deleteVersion, type ImportBucket } from './bucket.ts';
import { enterErasure } from './erasure-ledger.ts';
import { errorDocumentPath } from './failure-mail.ts';

/** What an erasure needs. */
export interface ErasureDependencies {
  readonly db: Firestore;
  readonly bucket: ImportBucket;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Erases a patient and waits until nothing of the person is left. Logs the audit entry as soon as the patient is no
 * longer found.
 * @param onBegun called at that moment, if it was this call that removed the patient
 * @returns false when `options.onlyIf` spared the patient
 * @throws ServiceError `patient.not_found`, `store.*`, `storage.unavailable`
 */
export async function erasePatient(
  deps: ErasureDependencies,
  id: PatientId,
  options: ErasureOptions,
  onBegun?: () => void,
): Promise<boolean> {
  const { erasure, audit } = await beginErasure(deps.db, id, deps.clock(), options);
  if (audit !== undefined) {
    logAuditEntry(deps.log, audit);
    onBegun?.();
    await removeAuditEntries(deps.db, [audit]);
  }
  if (erasure === undefined) return false;
  await complete(deps, erasure);
  return true;
}

/**
 * Completes up to 100 interrupted erasures. Logs one that fails again and tries it after all others in a next run, so that
 * 100 which always fail do not keep the others waiting.
 * @returns how many were completed
 * @throws ServiceError `store.unavailable` when the open erasures cannot be read
 */
export async function completeErasures(deps: ErasureDependencies): Promise<number> {
  const open = await openErasures(deps.db, 100);
  let completed = 0;
  for (const erasure of open) {
    try {
      await complete(deps, erasure);
      completed += 1;
      logCompletedErasure(deps.log, erasure.patient_id, erasure.requested_by);
    } catch (error) {
      deps.log.error('Erasure not completed', { patient_id: erasure.patient_id, ...errorFields(error) });
      // While Firestore is unavailable none is completed, so it does not matter which is first.
      await putBackErasure(deps.db, erasure.patient_id, deps.clock()).catch(() => undefined);
    }
  }
  return completed;
}

async function complete({ db, bucket, clock }: ErasureDependencies, erasure: Erasure): Promise<void> {
  const id = erasure.patient_id;
  await erasePending(db, id);
  // Enter it before `patient.deleted` can be sent: an erasure that readers know of must survive a restore.
  await enterErasure(bucket, id, parseTimestamp(erasure.requested_at) ?? clock());
  await announceErasure(db, id, clock());
  await eraseHistory(db, id);
  await buryIdempotencyKeys(db, id);
  // Until none is found: an import may note in its record that it has moved the file, after the copy was looked for here.
  for (let files = await filesOf(db, erasure); files.length > 0; files = await filesOf(db, erasure)) {
    await deleteUnmoved(bucket, files);
    for (const { recordId, archive_path, updateTime } of files) {
      if (archive_path !== null) {
        await deleteObject(bucket, archive_path);
        await deleteObject(bucket, errorDocumentPath(archive_path));
      }
      await eraseImportRecord(db, recordId, updateTime);
    }
  }
  await closeErasure(db, id);
}

/** Deletes files that are recorded but not moved yet. They are in incoming/, and their record does not keep the name. */
async function deleteUnmoved(bucket: ImportBucket, files: readonly PersonFile[]): Promise<void> {
  const unmoved = new Set<RecordId>(
    files.filter((file) => file.archived_at === null).map((file) => file.recordId),
  );
  if (unmoved.size === 0) return;
  for await (const object of listIncoming(bucket)) {
    if (unmoved.has(recordIdOf(bucket.name, object.name, object.generation))) {
      await deleteVersion(bucket, object);
    }
  }
}
