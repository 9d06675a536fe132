/** Reads an object of the bucket: returns the registration file in it, or the reason why it holds none. */
import type { Firestore } from '@google-cloud/firestore';
import type { Clock, Instant } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { readImport, uploadVouchedFor } from '../store/imports.ts';
import { retriedRecord } from './archive.ts';
import { downloadVersion, type FinalizedObject, type ImportBucket } from './bucket.ts';
import { unpackContent } from './content-encoding.ts';
import {
  MAX_FILE_BYTES,
  readRegistrationFile,
  type RefusedFile,
  type RegistrationFile,
} from './registration-file.ts';
import type { SignatureRules } from './signature.ts';

interface ReadDependencies {
  readonly db: Firestore;
  readonly bucket: ImportBucket;
  readonly clock: Clock;
  readonly signature: SignatureRules;
}

/** An object that exists, with its registration or the reason for its refusal. */
export interface FoundFile {
  readonly file: RegistrationFile | RefusedFile;
  /** The upload of the original, if an operator imports a failed file again. */
  readonly firstUploadedAt: Instant;
  /** Undefined when the object was not downloaded or is not compressed. */
  readonly contentEncoding?: string | undefined;
}

/**
 * Reads exactly this generation, up to 1 MiB as stored and as unpacked.
 * @returns undefined when the generation no longer exists
 * @throws ServiceError only retriable ones: `storage.unavailable`, `store.unavailable`
 */
export async function readObject(
  deps: ReadDependencies,
  object: FinalizedObject,
): Promise<FoundFile | undefined> {
  const isJson = /\.json$/i.test(object.name);
  const refused = (error: ServiceError, read?: RegistrationFile | RefusedFile): RefusedFile => ({
    error: isJson ? error : new ServiceError('import.not_json_file'),
    tokenHash: read?.tokenHash ?? null,
    pairs: read?.pairs ?? [],
  });
  const tooLarge = () => ({
    file: refused(new ServiceError('import.too_large')),
    firstUploadedAt: object.uploadedAt,
  });
  if (object.bytes > MAX_FILE_BYTES) return tooLarge();
  const download = await downloadVersion(deps.bucket, object, MAX_FILE_BYTES);
  if (download === 'gone') return undefined;
  if (download === 'too_large') return tooLarge();
  const { contentEncoding } = download;
  const bytes = await unpackContent(download.bytes, contentEncoding, MAX_FILE_BYTES).catch(asServiceError);
  if (bytes instanceof ServiceError) {
    return { file: refused(bytes), firstUploadedAt: object.uploadedAt, contentEncoding };
  }
  const readAsOf = (firstUploadedAt: Instant): FoundFile => ({
    file: readRegistrationFile(bytes, deps.signature, firstUploadedAt, deps.clock()),
    firstUploadedAt,
    contentEncoding,
  });
  const found = readAsOf(object.uploadedAt);
  // Even under another name it may be a registration, and an erasure must be able to find it.
  if (!isJson) {
    return { ...found, file: refused(new ServiceError('import.not_json_file'), found.file) };
  }
  const original = await originalUpload(deps, object, found.file);
  return original === undefined ? found : readAsOf(original);
}

function asServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  throw error;
}

/** When an operator imports a failed file again, its signature is judged by the upload of the original. */
async function originalUpload(
  { db }: ReadDependencies,
  { name, uploadedAt }: FinalizedObject,
  file: RegistrationFile | RefusedFile,
): Promise<Instant | undefined> {
  const recordId = retriedRecord(name);
  if (recordId === undefined || file.tokenHash === null) return undefined;
  const original = await readImport(db, recordId);
  return original === undefined ? undefined : uploadVouchedFor(original, file.tokenHash, uploadedAt);
}
