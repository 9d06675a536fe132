/**
 * The import bucket. Every call pins the generation it means, so that an object overwritten meanwhile is another
 * object; what is gone is an answer, not an error.
 */
import { Storage, type Bucket, type File } from '@google-cloud/storage';
import { parseTimestamp, type Instant } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';

export interface ObjectVersion {
  readonly name: string;
  /** A 64-bit integer, as text. */
  readonly generation: string;
}

export function connectBucket(config: {
  readonly GOOGLE_CLOUD_PROJECT: string;
  readonly GCS_IMPORT_BUCKET: string;
  readonly STORAGE_EMULATOR_HOST?: string | undefined;
}): Bucket {
  const storage = new Storage({
    projectId: config.GOOGLE_CLOUD_PROJECT,
    ...(config.STORAGE_EMULATOR_HOST === undefined ? {} : { apiEndpoint: config.STORAGE_EMULATOR_HOST }),
    // The trigger redelivers for 24 h: better to give up soon and come again than to hold the request.
    retryOptions: { maxRetries: 3, totalTimeout: 15 },
  });
  return storage.bucket(config.GCS_IMPORT_BUCKET);
}

/** The bytes of exactly this generation, or undefined when it is gone. @throws ServiceError `storage.unavailable` */
export function downloadVersion(
  bucket: Bucket,
  { name, generation }: ObjectVersion,
): Promise<Buffer | undefined> {
  return unless([NOT_FOUND], async () => (await bucket.file(name, { generation }).download())[0]);
}

/** Copies this generation to a new object; one that is there already is the copy of an earlier delivery. */
export async function copyVersion(
  bucket: Bucket,
  { name, generation }: ObjectVersion,
  target: string,
): Promise<void> {
  await unless([NOT_FOUND, PRECONDITION_FAILED], () =>
    bucket.file(name, { generation }).copy(bucket.file(target), {
      preconditionOpts: { ifGenerationMatch: 0 },
      contentType: 'application/json',
    }),
  );
}

/** Deletes this generation; another one of the same name stays. */
export async function deleteVersion(bucket: Bucket, { name, generation }: ObjectVersion): Promise<void> {
  await unless([NOT_FOUND, PRECONDITION_FAILED], () =>
    bucket.file(name).delete({ ifGenerationMatch: generation }),
  );
}

/** Deletes an object of a name that the service chose, whatever its generation. */
export async function deleteObject(bucket: Bucket, name: string): Promise<void> {
  await unless([NOT_FOUND], () => bucket.file(name).delete());
}

/** Writes a small JSON document; one that is there already is that of an earlier delivery. */
export async function saveJson(bucket: Bucket, name: string, content: object): Promise<void> {
  await unless([PRECONDITION_FAILED], () =>
    bucket.file(name).save(`${JSON.stringify(content, undefined, 2)}\n`, {
      contentType: 'application/json',
      resumable: false,
      preconditionOpts: { ifGenerationMatch: 0 },
    }),
  );
}

/** An object as its finalize event, or a listing, describes it. */
export interface FinalizedObject extends ObjectVersion {
  readonly bytes: number;
  readonly uploadedAt: Instant;
}

/** Every object below a prefix, page by page, with what a finalize event would say of it. */
export async function* listObjects(bucket: Bucket, prefix: string): AsyncGenerator<FinalizedObject> {
  let query: object | undefined = { prefix, autoPaginate: false, maxResults: 500 };
  while (query !== undefined) {
    const page: [File[], object | null, unknown] | undefined = await unless([], () => bucket.getFiles(query));
    for (const { name, metadata } of page?.[0] ?? []) {
      const uploadedAt = parseTimestamp(String(metadata.timeCreated));
      if (uploadedAt === undefined) throw new ServiceError('internal');
      yield { name, generation: String(metadata.generation), bytes: Number(metadata.size), uploadedAt };
    }
    query = page?.[1] ?? undefined;
  }
}

const NOT_FOUND = 404;
const PRECONDITION_FAILED = 412;

async function unless<T>(expected: readonly number[], call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    if (typeof code === 'number' && expected.includes(code)) return undefined;
    throw new ServiceError('storage.unavailable', { cause: error });
  }
}
