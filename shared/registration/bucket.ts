/**
 * The import bucket. Calls on uploaded files name the generation, so an object that was overwritten meanwhile counts as
 * another object. A missing object is a result, not an error.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Bucket, File, FileOptions } from '@google-cloud/storage';
import { parseTimestamp, type Instant } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { knownCoding } from './content-encoding.ts';

/** One generation of an object. */
export interface ObjectVersion {
  readonly name: string;
  /** A 64-bit integer, as text. */
  readonly generation: string;
}

interface BucketConfig {
  readonly GOOGLE_CLOUD_PROJECT: string;
  readonly GCS_IMPORT_BUCKET: string;
  readonly STORAGE_EMULATOR_HOST?: string | undefined;
}

/** The import bucket. The client of Cloud Storage is loaded with the first call, since most starts of the API need none. */
export interface ImportBucket {
  readonly name: string;
  /** The bucket of the client library. */
  readonly client: () => Promise<Bucket>;
}

/** The import bucket, or that of the emulator when one is configured. */
export function connectBucket(config: BucketConfig): ImportBucket {
  let client: Promise<Bucket> | undefined;
  return { name: config.GCS_IMPORT_BUCKET, client: () => (client ??= loadClient(config)) };
}

async function loadClient(config: BucketConfig): Promise<Bucket> {
  const { Storage } = await import('@google-cloud/storage');
  const storage = new Storage({
    projectId: config.GOOGLE_CLOUD_PROJECT,
    ...(config.STORAGE_EMULATOR_HOST === undefined ? {} : { apiEndpoint: config.STORAGE_EMULATOR_HOST }),
    // Give up after 15 s. The trigger redelivers for 24 h, which is better than holding the request.
    retryOptions: { maxRetries: 3, totalTimeout: 15 },
  });
  return storage.bucket(config.GCS_IMPORT_BUCKET);
}

async function fileOf(bucket: ImportBucket, name: string, options: FileOptions = {}): Promise<File> {
  return (await bucket.client()).file(name, options);
}

/** The content of an object, as stored. */
export interface Download {
  /** Still compressed when `contentEncoding` says so. */
  readonly bytes: Buffer;
  readonly contentEncoding: string | undefined;
}

/**
 * Downloads exactly this generation and stops after `maxBytes`.
 * @returns `gone` when the generation no longer exists, `too_large` when it has more than `maxBytes`
 * @throws ServiceError `storage.unavailable`
 */
export async function downloadVersion(
  bucket: ImportBucket,
  { name, generation }: ObjectVersion,
  maxBytes: number,
): Promise<Download | 'gone' | 'too_large'> {
  const download = await unless([NOT_FOUND], async (): Promise<Download | 'too_large'> => {
    let headers: IncomingHttpHeaders = {};
    const file = await fileOf(bucket, name, { generation });
    const stream = file
      .createReadStream({ decompress: false })
      .on('response', (response: { headers: IncomingHttpHeaders }) => ({ headers } = response));
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) return 'too_large';
      chunks.push(chunk);
    }
    return { bytes: Buffer.concat(chunks), contentEncoding: headers['content-encoding'] };
  });
  return download ?? 'gone';
}

/**
 * Copies this generation to a new object. Does nothing when the target exists: an earlier delivery has copied it. Of the
 * metadata it keeps only the content encoding, because an uploader's metadata may name a person.
 * @throws ServiceError `storage.unavailable`
 */
export async function copyVersion(
  bucket: ImportBucket,
  { name, generation, contentEncoding }: ObjectVersion & Pick<FinalizedObject, 'contentEncoding'>,
  target: string,
): Promise<void> {
  const coding = knownCoding(contentEncoding);
  await unless([NOT_FOUND, PRECONDITION_FAILED], async () => {
    const source = await fileOf(bucket, name, { generation });
    await source.copy(await fileOf(bucket, target), {
      preconditionOpts: { ifGenerationMatch: 0 },
      contentType: 'application/json',
      ...(coding === undefined ? {} : { contentEncoding: coding }),
    });
  });
}

/** Deletes this generation and no other of the same name. @throws ServiceError `storage.unavailable` */
export async function deleteVersion(
  bucket: ImportBucket,
  { name, generation }: ObjectVersion,
): Promise<void> {
  await unless([NOT_FOUND, PRECONDITION_FAILED], async () =>
    (await fileOf(bucket, name)).delete({ ifGenerationMatch: generation }),
  );
}

/** Deletes an object that the service named, whatever its generation. @throws ServiceError `storage.unavailable` */
export async function deleteObject(bucket: ImportBucket, name: string): Promise<void> {
  await unless([NOT_FOUND], async () => (await fileOf(bucket, name)).delete());
}

/** Writes a small JSON document unless it exists already. @throws ServiceError `storage.unavailable` */
export async function saveJson(bucket: ImportBucket, name: string, content: object): Promise<void> {
  await unless([PRECONDITION_FAILED], async () =>
    (await fileOf(bucket, name)).save(`${JSON.stringify(content, undefined, 2)}\n`, {
      contentType: 'application/json',
      resumable: false,
      preconditionOpts: { ifGenerationMatch: 0 },
    }),
  );
}

/** An object as described by its finalize event or by a listing. */
export interface FinalizedObject extends ObjectVersion {
  /** Size as stored. */
  readonly bytes: number;
  readonly uploadedAt: Instant;
  /** Undefined when the bytes are not compressed. */
  readonly contentEncoding?: string | undefined;
}

/** A small object whose content is repeated in its custom metadata, so that one call reads it. */
export interface Labelled {
  readonly generation: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Reads the labels; undefined when the object does not exist. @throws ServiceError `storage.unavailable` */
export async function readLabels(bucket: ImportBucket, name: string): Promise<Labelled | undefined> {
  const [metadata] =
    (await unless([NOT_FOUND], async () => (await fileOf(bucket, name)).getMetadata())) ?? [];
  if (metadata === undefined) return undefined;
  const labels = (metadata.metadata ?? {}) as Record<string, string>;
  return { generation: String(metadata.generation), labels };
}

/**
 * Replaces a labelled object. Does nothing when somebody else replaced it first.
 * @param replaced what {@link readLabels} returned; undefined when the object did not exist
 * @throws ServiceError `storage.unavailable`
 */
export async function replaceLabels(
  bucket: ImportBucket,
  name: string,
  labels: Readonly<Record<string, string>>,
  replaced: Labelled | undefined,
): Promise<void> {
  await unless([PRECONDITION_FAILED], async () =>
    (await fileOf(bucket, name)).save(`${JSON.stringify(labels)}\n`, {
      contentType: 'application/json',
      resumable: false,
      metadata: { metadata: { ...labels } },
      preconditionOpts: { ifGenerationMatch: replaced?.generation ?? 0 },
    }),
  );
}

/** All objects with this prefix, read page by page. @throws ServiceError `storage.unavailable` */
export async function* listObjects(bucket: ImportBucket, prefix: string): AsyncGenerator<FinalizedObject> {
  let token: string | null = null;
  do {
    const page: ObjectPage | undefined = await listPage(bucket, token, prefix);
    if (page === undefined) return;
    yield* page.objects;
    token = page.nextPageToken;
  } while (token !== null);
}

/** One page of a listing. */
export interface ObjectPage {
  readonly objects: readonly FinalizedObject[];
  /** Null on the last page. */
  readonly nextPageToken: string | null;
}

/**
 * Lists one page of at most 1,000 objects, ordered by name.
 * @param token the previous page's `nextPageToken`; null for the first page
 * @returns undefined when Cloud Storage no longer accepts the token
 * @throws ServiceError `storage.unavailable`
 */
export async function listPage(
  bucket: ImportBucket,
  token: string | null,
  prefix = '',
): Promise<ObjectPage | undefined> {
  const query = {
    prefix,
    autoPaginate: false,
    maxResults: 1_000,
    ...(token === null ? {} : { pageToken: token }),
  };
  const page: [File[], { pageToken?: string } | null, unknown] | undefined = await unless(
    token === null ? [] : [BAD_REQUEST],
    async () => (await bucket.client()).getFiles(query),
  );
  if (page === undefined) return undefined;
  return { objects: page[0].map(describe), nextPageToken: page[1]?.pageToken ?? null };
}

function describe({ name, metadata }: File): FinalizedObject {
  const uploadedAt = parseTimestamp(String(metadata.timeCreated));
  if (uploadedAt === undefined) throw new ServiceError('internal');
  return {
    name,
    generation: String(metadata.generation),
    bytes: Number(metadata.size),
    uploadedAt,
    contentEncoding: metadata.contentEncoding,
  };
}

const BAD_REQUEST = 400;
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
