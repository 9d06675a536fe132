/**
 * Moves a file after its record is stored: to processed/ or failed/, named by the record's id and the Berlin date of the
 * upload (docs/domain.md#registration-files). Each step may be repeated. If the person was erased meanwhile, the file is
 * deleted.
 */
import { randomUUID } from 'node:crypto';
import type { Firestore } from '@google-cloud/firestore';
import { berlinDateOf, type Clock, type Instant } from '../platform/clock.ts';
import { fateOf } from '../platform/errors.ts';
import { noteArchived, type ImportRecord, type RecordId } from '../store/imports.ts';
import {
  copyVersion,
  deleteObject,
  deleteVersion,
  listObjects,
  saveJson,
  type FinalizedObject,
  type ImportBucket,
  type ObjectVersion,
} from './bucket.ts';
import { errorDocumentPath } from './failure-mail.ts';

/** Prefix of the objects that the website uploads. */
export const INCOMING = 'incoming/';

/** Where a file ends; the object's prefix is this with a slash. */
export const ARCHIVES = ['processed', 'failed'] as const;

/** Whether the object is an uploaded file. False for a folder's placeholder: consoles create one with a final `/`. */
export function isIncoming(name: string): boolean {
  return name.startsWith(INCOMING) && !name.endsWith('/');
}

/** All files in incoming/, in no particular order. @throws ServiceError `storage.unavailable` */
export async function* listIncoming(bucket: ImportBucket): AsyncGenerator<FinalizedObject> {
  for await (const object of listObjects(bucket, INCOMING)) {
    if (isIncoming(object.name)) yield object;
  }
}

/** A new, unique name under which a failed file is imported again. */
export function retryName(recordId: string): string {
  return `${INCOMING}retry-${recordId}-${randomUUID()}.json`;
}

/** The record id of the failed file that is imported again under this name; undefined for any other name. */
export function retriedRecord(name: string): RecordId | undefined {
  return /^incoming\/retry-([0-9a-f]{64})-[0-9a-f-]{36}\.json$/.exec(name)?.[1] as RecordId | undefined;
}

/** The object name in the archive, such as `failed/2026/08/01/<record id>.json`. */
export function archivePath(
  folder: (typeof ARCHIVES)[number],
  recordId: RecordId,
  uploadedAt: Instant,
): string {
  return `${folder}/${berlinDateOf(uploadedAt).replaceAll('-', '/')}/${recordId}.json`;
}

/** The record id of a copy in the archive or of its error document; undefined for any other name. */
export function recordOfCopy(name: string): RecordId | undefined {
  return /^(?:processed|failed)\/\d{4}\/\d\d\/\d\d\/([0-9a-f]{64})(?:\.error)?\.json$/.exec(name)?.[1] as
    | RecordId
    | undefined;
}

/**
 * Moves the file to the path in its record. Does nothing when another delivery has moved it already.
 * @throws ServiceError `store.unavailable`, `storage.unavailable`
 */
export async function archive(
  deps: { readonly db: Firestore; readonly bucket: ImportBucket; readonly clock: Clock },
  object: ObjectVersion & Pick<FinalizedObject, 'uploadedAt' | 'contentEncoding'>,
  recordId: RecordId,
  record: ImportRecord,
): Promise<void> {
  const { bucket } = deps;
  if (record.archive_path === null) {
    await removeCopies(bucket, recordId, object.uploadedAt);
  } else {
    if (record.outcome === 'failed') await saveErrorDocument(bucket, recordId, record, record.archive_path);
    await copyVersion(bucket, object, record.archive_path);
    // An erasure between record and copy deletes the record, but cannot see the copy.
    const kept = await noteArchived(deps.db, recordId, deps.clock());
    if (!kept) await removeCopies(bucket, recordId, object.uploadedAt);
  }
  await deleteVersion(bucket, object);
}

/** Deletes every object of this record from the archive. @throws ServiceError `storage.unavailable` */
export async function removeCopies(
  bucket: ImportBucket,
  recordId: RecordId,
  uploadedAt: Instant,
): Promise<void> {
  const failed = archivePath('failed', recordId, uploadedAt);
  const copies = [archivePath('processed', recordId, uploadedAt), failed, errorDocumentPath(failed)];
  await Promise.all(copies.map((name) => deleteObject(bucket, name)));
}

function saveErrorDocument(
  bucket: ImportBucket,
  recordId: RecordId,
  record: ImportRecord,
  path: string,
): Promise<void> {
  const { reason, violations, received_at } = record;
  return saveJson(bucket, errorDocumentPath(path), {
    record_id: recordId,
    reason,
    title: reason === null ? null : fateOf(reason).title,
    violations,
    failed_at: received_at,
  });
}
