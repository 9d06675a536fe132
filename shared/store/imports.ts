/**
 * The import records: the outcome of each object generation, without personal data. The record is part of the same
 * write as its effect, so a second delivery finds it and only completes the move of the file.
 */
import { createHash } from 'node:crypto';
import type { CollectionReference, DocumentReference, Firestore } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import type { Instant, UtcTimestamp } from '../platform/clock.ts';
import { parseTimestamp, utcTimestamp } from '../platform/clock.ts';
import type { ErrorCode, Violation } from '../platform/errors.ts';
import { isPreconditionLost, translated } from './firestore.ts';
import { commitTogether } from './group-commit.ts';
import { expiryOf } from './kept-days.ts';
import type { PersonKey } from './person-keys.ts';
import type { TokenHash } from './registration-tokens.ts';

/** The id of an import record, see {@link recordIdOf}. */
export type RecordId = string & { readonly recordId: true };

/** The outcome of one object generation, without personal data. */
export interface ImportRecord {
  readonly outcome: 'imported' | 'duplicate' | 'failed' | 'erased';
  /** Null when no patient was created from the file. */
  readonly patient_id: PatientId | null;
  /** With this an erasure finds every file that the person sent; null when no token could be read. */
  readonly token_sha256: TokenHash | null;
  /** Keys of a failed file, by which the erasure of a person finds it without their token; none when it is unreadable. */
  readonly person_keys?: readonly PersonKey[];
  readonly reason: ErrorCode | null;
  readonly violations: readonly Violation[];
  /** Where the file is moved to, below processed/ or failed/; null when it is deleted. */
  readonly archive_path: string | null;
  readonly archived_at: UtcTimestamp | null;
  readonly received_at: UtcTimestamp;
  /** When the file was uploaded. For a retried file: when its original was uploaded. */
  readonly uploaded_at: UtcTimestamp;
  /** When an operator last sent the failed file through the import again. */
  readonly retried_at?: UtcTimestamp;
}

/** The record id, the same for each delivery of one object generation. Hashed, since a file name may hold a surname. */
export function recordIdOf(bucket: string, name: string, generation: string): RecordId {
  return createHash('sha256').update(`${bucket}/${name}/${generation}`).digest('hex') as RecordId;
}

/** The collection `imports`. */
export function importDocs(db: Firestore): CollectionReference {
  return db.collection('imports');
}

/** The document of a record. */
export function importDoc(db: Firestore, id: RecordId): DocumentReference {
  return importDocs(db).doc(id);
}

/** The record of a file without a patient expires with the file. */
export function toImportDocument(record: ImportRecord, now: Instant): object {
  const expires = record.patient_id === null ? expiryOf('failedFiles', now) : null;
  return { ...record, expires_at: expires };
}

/** Undefined when there is no such record. @throws ServiceError `store.unavailable` */
export async function readImport(db: Firestore, id: RecordId): Promise<ImportRecord | undefined> {
  const snapshot = await translated(() => importDoc(db, id).get());
  return snapshot.data() as ImportRecord | undefined;
}

/** Those of the records that exist. @throws ServiceError `store.unavailable` */
export async function existingImports(db: Firestore, ids: readonly RecordId[]): Promise<Set<RecordId>> {
  if (ids.length === 0) return new Set();
  const docs = [...new Set(ids)].map((id) => importDoc(db, id));
  const snapshots = await translated(() => db.getAll(...docs, { fieldMask: [] }));
  return new Set(snapshots.filter(({ exists }) => exists).map(({ id }) => id as RecordId));
}

/** For this long after an operator ordered a retry, the retried file counts as uploaded when its original was. */
const RETRY_WITHIN_MS = 3600 * 1000;

/** Notes that a failed file is imported again; without a record nothing is noted, and the file counts as a new one. */
export async function noteRetry(db: Firestore, id: RecordId, now: Instant): Promise<void> {
  try {
    await translated(() => importDoc(db, id).update({ retried_at: utcTimestamp(now) }));
  } catch (error) {
    if (!isPreconditionLost(error)) throw error;
  }
}

/**
 * When the original of a retried file was uploaded; undefined unless an operator has just ordered the retry, and it is
 * the same registration.
 */
export function uploadVouchedFor(
  original: ImportRecord,
  tokenHash: TokenHash,
  retriedAt: Instant,
): Instant | undefined {
  const ordered = parseTimestamp(original.retried_at ?? '');
  if (ordered === undefined || original.token_sha256 !== tokenHash) return undefined;
  const late = Math.abs(retriedAt.epochMilliseconds - ordered.epochMilliseconds);
  return late > RETRY_WITHIN_MS ? undefined : parseTimestamp(original.uploaded_at);
}

/**
 * Notes that the file has reached its archive path.
 * @returns false when the record is gone: the person was erased meanwhile, and the copy must go too
 */
export async function noteArchived(db: Firestore, id: RecordId, now: Instant): Promise<boolean> {
  try {
    await commitTogether(db, (batch) => batch.update(importDoc(db, id), { archived_at: utcTimestamp(now) }));
    return true;
  } catch (error) {
    if (isPreconditionLost(error)) return false;
    throw error;
  }
}
