/** An object of the bucket as the registration file in it, or as the reason why it holds none. */
import type { Bucket } from '@google-cloud/storage';
import type { Firestore } from '@google-cloud/firestore';
import type { Clock, Instant } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { readImport, uploadVouchedFor } from '../store/imports.ts';
import { retriedRecord } from './archive.ts';
import { downloadVersion, type FinalizedObject } from './bucket.ts';
import { unpack } from './content-encoding.ts';
import {
  MAX_FILE_BYTES,
  readRegistrationFile,
  type RefusedFile,
  type RegistrationFile,
} from './registration-file.ts';
import type { SignatureRules } from './signature.ts';

interface ReadDependencies {
  readonly db: Firestore;
  readonly bucket: Bucket;
  readonly clock: Clock;
  readonly signature: SignatureRules;
}

export interface FoundFile {
  readonly file: RegistrationFile | RefusedFile;
  readonly firstUploadedAt: Instant;
  /** Undefined where it is not known, or the bytes are stored as they are. */
  readonly contentEncoding?: string | undefined;
}

/**
 * Reads exactly this generation; undefined when it is gone. What the service reads of an object, as stored and as
 * unpacked, ends at the limit of a file.
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
  const tooLarge = {
    file: refused(new ServiceError('import.too_large')),
    firstUploadedAt: object.uploadedAt,
  };
  if (object.bytes > MAX_FILE_BYTES) return tooLarge;
  const download = await downloadVersion(deps.bucket, object, MAX_FILE_BYTES);
  if (download === 'gone') return undefined;
  if (download === 'too_large') return tooLarge;
  const { contentEncoding } = download;
  const bytes = await unpack(download.bytes, contentEncoding, MAX_FILE_BYTES).catch(asServiceError);
  if (bytes instanceof ServiceError) {
    return { file: refused(bytes), firstUploadedAt: object.uploadedAt, contentEncoding };
  }
  const readAsOf = (firstUploadedAt: Instant): FoundFile => ({
    file: readRegistrationFile(bytes, deps.signature, firstUploadedAt, deps.clock()),
    firstUploadedAt,
    contentEncoding,
  });
  const found = readAsOf(object.uploadedAt);
  // Under another name it may still be a registration, which an erasure must find.
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

/** A signed file that an operator sends through the import again is as old as its original. */
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
