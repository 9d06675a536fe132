/**
 * Where a file goes after its record is stored: processed/ or failed/, under the record's id and the Berlin day of
 * its upload (docs/domain.md#registration-files). Each step may be repeated, and a file whose person was erased
 * meanwhile is deleted.
 */
import { randomUUID } from 'node:crypto';
import type { Bucket } from '@google-cloud/storage';
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
  type ObjectVersion,
} from './bucket.ts';
import { errorDocumentPath } from './failure-mail.ts';

/** Where files are dropped. */
export const INCOMING = 'incoming/';

/** True for a dropped file; the placeholder of a folder, which consoles create and whose name ends in `/`, is none. */
export function isIncoming(name: string): boolean {
  return name.startsWith(INCOMING) && !name.endsWith('/');
}

/** Every dropped file that is still there, in no order. */
export async function* listIncoming(bucket: Bucket): AsyncGenerator<FinalizedObject> {
  for await (const object of listObjects(bucket, INCOMING)) {
    if (isIncoming(object.name)) yield object;
  }
}

/** A name under which a failed file goes through the import again, each time another. */
export function retryName(recordId: string): string {
  return `${INCOMING}retry-${recordId}-${randomUUID()}.json`;
}

/** The record of the failed file that is sent through the import again under this name. */
export function retriedRecord(name: string): RecordId | undefined {
  return /^incoming\/retry-([0-9a-f]{64})-[0-9a-f-]{36}\.json$/.exec(name)?.[1] as RecordId | undefined;
}

export function archivePath(folder: 'processed' | 'failed', recordId: RecordId, uploadedAt: Instant): string {
  return `${folder}/${berlinDateOf(uploadedAt).replaceAll('-', '/')}/${recordId}.json`;
}

/** The record to which a copy in the archive, or the error document beside it, belongs. */
export function recordOfCopy(name: string): RecordId | undefined {
  return /^(?:processed|failed)\/\d{4}\/\d\d\/\d\d\/([0-9a-f]{64})(?:\.error)?\.json$/.exec(name)?.[1] as
    | RecordId
    | undefined;
}

/** Moves the file to where its record says; a file that another delivery has moved is left alone. */
export async function archive(
  deps: { readonly db: Firestore; readonly bucket: Bucket; readonly clock: Clock },
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
    // An erasure that ran between record and copy has deleted the record and could not see the copy.
    const kept = await noteArchived(deps.db, recordId, deps.clock());
    if (!kept) await removeCopies(bucket, recordId, object.uploadedAt);
  }
  await deleteVersion(bucket, object);
}

/** Removes whatever lies in the archive under this record id. */
export async function removeCopies(bucket: Bucket, recordId: RecordId, uploadedAt: Instant): Promise<void> {
  const failed = archivePath('failed', recordId, uploadedAt);
  const copies = [archivePath('processed', recordId, uploadedAt), failed, errorDocumentPath(failed)];
  await Promise.all(copies.map((name) => deleteObject(bucket, name)));
}

function saveErrorDocument(
  bucket: Bucket,
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
