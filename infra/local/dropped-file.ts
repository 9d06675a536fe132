/** One file that was dropped: which version of it is there, whether it may be read, and its upload. */
import { lstat, readFile, realpath } from 'node:fs/promises';
import { INCOMING } from '../../shared/registration/archive.ts';
import type { ImportBucket } from '../../shared/registration/bucket.ts';
import { heldForWriting, identityOf, type FileIdentity } from './open-files.ts';

/** A file's content as of one moment. */
export interface Version {
  readonly identity: FileIdentity;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

/** Undefined when the path is no file: it is gone, or something else, such as a link. */
export async function versionOf(path: string): Promise<Version | undefined> {
  const stats = await lstat(path, { bigint: true }).catch(() => undefined);
  if (stats?.isFile() !== true) return undefined;
  return { identity: identityOf(stats), size: stats.size, mtimeNs: stats.mtimeNs };
}

/** True when nothing wrote to the file between the two. */
export function isSame(one: Version | undefined, other: Version | undefined): boolean {
  return (
    one !== undefined &&
    one.identity === other?.identity &&
    one.size === other.size &&
    one.mtimeNs === other.mtimeNs
  );
}

/**
 * Reads a file that an operator names.
 * @throws Error when there is no such file, when it is empty, or when a process still writes to it
 */
export async function readWhole(file: string): Promise<Buffer> {
  const path = await realpath(file);
  const version = await versionOf(path);
  if (version === undefined) throw new Error(`${file} is not a file.`);
  if (version.size === 0n) throw new Error(`${file} is empty: drop it again once it is written.`);
  const bytes = await readFile(path);
  const held = await heldForWriting(new Map([[version.identity, path]]));
  if (held.size > 0 || !isSame(await versionOf(path), version)) {
    throw new Error(`${file} is still being written: drop it again once that has ended.`);
  }
  return bytes;
}

/** Cloud Storage: https://cloud.google.com/storage/docs/objects#naming */
const MAX_OBJECT_NAME_BYTES = 1024;

/** The path of a file is longer than an object's name may be. */
export class NameTooLong extends Error {
  constructor() {
    const most = MAX_OBJECT_NAME_BYTES - INCOMING.length;
    super(`the path of a file has more than ${most} bytes, so it is not uploaded: shorten it`);
  }
}

/**
 * Uploads a file's content below `incoming/`. Object names must not hold line breaks, so each becomes `_`.
 * @throws Error when the name is too long
 */
export async function uploadDropped(bucket: ImportBucket, bytes: Buffer, name: string): Promise<void> {
  const object = `${INCOMING}${name.replaceAll(/\p{Cc}/gu, '_')}`;
  if (Buffer.byteLength(object) > MAX_OBJECT_NAME_BYTES) throw new NameTooLong();
  const client = await bucket.client();
  await client.file(object).save(bytes, { resumable: false, contentType: 'application/json' });
}
