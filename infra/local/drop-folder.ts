/**
 * The watched drop folder: each file put into it goes to `incoming/` in the bucket and then leaves the folder. A file is
 * whole once nobody holds it open for writing, it is not empty, and it has not changed for a moment. One that changes
 * after it was read is uploaded again; what cannot be uploaded stays and is tried again. Links are left alone.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, realpath, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { Bucket } from '@google-cloud/storage';
import { watch } from 'chokidar';
import pLimit from 'p-limit';
import { INCOMING } from '../../shared/registration/archive.ts';
import { canTellWriters, heldForWriting, identityOf, type FileIdentity } from './open-files.ts';

export interface DropFolder {
  close(): Promise<void>;
}

export interface DropFolderOptions {
  /** How long a file must not have changed; by default longer where nobody tells who writes it. */
  readonly settledAfterMs?: number;
  readonly retryAfterMs?: number;
  readonly canTell?: () => Promise<boolean>;
  readonly onTrouble?: (sentence: string) => void;
}

/** A file of the folder, as it was when it was last looked at. */
interface Dropped {
  /** Below the folder, with `/`. */
  readonly name: string;
  path: string;
  seen: Version | undefined;
  /** Since when it has been so, and when to look again: milliseconds of `performance.now()`. */
  since: number;
  nextLook: number;
}

interface Version {
  readonly identity: FileIdentity;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

/** Where a file waits to be removed after its upload: out of reach of all who know its name. */
const TAKEN = '.taken';
const LOOK_EVERY_MS = 50;
/** At a file that is empty or held open. */
const LOOK_LATER_MS = 500;

/** Watches a folder, which is made when it is missing. */
export async function watchDropFolder(
  folder: string,
  bucket: Bucket,
  {
    settledAfterMs,
    retryAfterMs = 1000,
    canTell = canTellWriters,
    onTrouble = () => {},
  }: DropFolderOptions = {},
): Promise<DropFolder> {
  mkdirSync(folder, { recursive: true });
  const tellsWriters = await canTell();
  const settledMs = settledAfterMs ?? (tellsWriters ? 100 : 3000);
  if (!tellsWriters) {
    onTrouble('this system does not tell who writes a file: one is taken when it has not changed for 3 s');
  }
  const waiting = new Map<string, Dropped>();
  const limit = pLimit(8);
  let isClosing = false;
  let isTroubled = false;

  function expect(path: string, name = relative(folder, path).split(sep).join('/')): void {
    if (!waiting.has(path)) waiting.set(path, { name, path, seen: undefined, since: 0, nextLook: 0 });
  }

  /** @returns true when the file is as it was for long enough */
  async function hasSettled(file: Dropped): Promise<boolean> {
    const now = performance.now();
    if (now < file.nextLook) return false;
    const version = await versionOf(file.path);
    if (version === undefined) {
      waiting.delete(file.path);
      return false;
    }
    if (!isSame(version, file.seen)) Object.assign(file, { seen: version, since: now });
    file.nextLook = version.size === 0n ? now + LOOK_LATER_MS : now;
    return version.size > 0n && now - file.since >= settledMs;
  }

  async function lookAtAll(): Promise<void> {
    const looked = await Promise.all(
      [...waiting.values()].map((file) => limit(async () => ((await hasSettled(file)) ? [file] : []))),
    );
    const uploaded = await Promise.all(
      (await thoseNotHeld(looked.flat())).map((file) => limit(() => upload(file))),
    );
    const taken = await Promise.all(uploaded.flat().map((file) => limit(() => takeAway(file))));
    // A process that opened it before it was taken away may still write to it.
    await Promise.all((await thoseNotHeld(taken.flat())).map((file) => limit(() => removeUnchanged(file))));
  }

  async function thoseNotHeld(files: readonly Dropped[]): Promise<Dropped[]> {
    const paths = new Map(files.map(({ seen, path }) => [seen?.identity ?? '', path]));
    const held = await heldForWriting(paths);
    const isHeld = ({ seen }: Dropped) => held.has(seen?.identity ?? '');
    for (const file of files.filter(isHeld)) file.nextLook = performance.now() + LOOK_LATER_MS;
    return files.filter((file) => !isHeld(file));
  }

  async function upload(file: Dropped): Promise<Dropped[]> {
    try {
      await uploadDropped(bucket, await readFile(file.path), file.name);
      isTroubled = false;
      return [file];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && !isTroubled) {
        isTroubled = true;
        onTrouble('a file cannot be uploaded and is tried again');
      }
      file.nextLook = performance.now() + retryAfterMs;
      return [];
    }
  }

  /** Moves an uploaded file to where nobody finds it by its name; one that has changed meanwhile stays and waits again. */
  async function takeAway(file: Dropped): Promise<Dropped[]> {
    if (!isSame(await versionOf(file.path), file.seen)) return [];
    const target = join(folder, TAKEN, randomUUID(), ...file.name.split('/'));
    await mkdir(dirname(target), { recursive: true });
    waiting.delete(file.path);
    try {
      await rename(file.path, target);
    } catch {
      expect(file.path, file.name);
      return [];
    }
    file.path = target;
    waiting.set(target, file);
    return [file];
  }

  /** What has changed after it was read is waited for and uploaded again, from where it is now. */
  async function removeUnchanged(file: Dropped): Promise<void> {
    if (!isSame(await versionOf(file.path), file.seen)) return;
    await unlink(file.path);
    waiting.delete(file.path);
    await rm(join(folder, TAKEN, relative(join(folder, TAKEN), file.path).split(sep)[0] ?? ''), {
      recursive: true,
      force: true,
    });
    // Gone with the last of them.
    await rmdir(join(folder, TAKEN)).catch(() => undefined);
  }

  // What a stop came between upload and removal of: once more, for it may have changed.
  for (const id of await readdir(join(folder, TAKEN)).catch(() => [])) {
    const kept = await readdir(join(folder, TAKEN, id), { recursive: true, withFileTypes: true });
    for (const entry of kept.filter((one) => one.isFile())) {
      const path = join(entry.parentPath, entry.name);
      expect(
        path,
        relative(join(folder, TAKEN, id), path)
          .split(sep)
          .join('/'),
      );
    }
  }
  const watcher = watch(folder, {
    followSymlinks: false,
    // What editors and copy tools write before they rename it.
    ignored: (path) => /(^|[/\\])\.[^/\\]+$|\.(part|tmp|crdownload)$|~$/.test(relative(folder, path)),
  });
  // Such as too few inotify watches on this machine.
  watcher.on('error', (error) => onTrouble(`is not watched any more: ${(error as Error).message}`));
  watcher.on('add', (path) => expect(path)).on('change', (path) => expect(path));
  await new Promise<void>((resolve) => void watcher.once('ready', resolve));

  let looking: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const lookAgain = (): void => {
    if (isClosing) return;
    timer = setTimeout(() => {
      looking = lookAtAll()
        .catch((error: unknown) => onTrouble(`cannot be looked through: ${(error as Error).message}`))
        .finally(lookAgain);
    }, LOOK_EVERY_MS);
  };
  lookAgain();
  return {
    async close() {
      isClosing = true;
      clearTimeout(timer);
      await watcher.close();
      await looking;
    },
  };
}

/** Undefined where there is no file: it is gone, or it is something else, such as a link. */
async function versionOf(path: string): Promise<Version | undefined> {
  const stats = await lstat(path, { bigint: true }).catch(() => undefined);
  if (stats?.isFile() !== true) return undefined;
  return { identity: identityOf(stats), size: stats.size, mtimeNs: stats.mtimeNs };
}

function isSame(one: Version | undefined, other: Version | undefined): boolean {
  return (
    one !== undefined &&
    one.identity === other?.identity &&
    one.size === other.size &&
    one.mtimeNs === other.mtimeNs
  );
}

/**
 * The content of a file that an operator names.
 * @throws Error when there is no such file, when it is empty, or when somebody still writes to it
 */
export async function readWhole(file: string): Promise<Buffer> {
  const path = await realpath(file);
  const version = await versionOf(path);
  if (version === undefined) throw new Error(`${file} is not a file.`);
  if (version.size === 0n) throw new Error(`${file} is empty: drop it again when it is written.`);
  const bytes = await readFile(path);
  const held = await heldForWriting(new Map([[version.identity, path]]));
  if (held.size > 0 || !isSame(await versionOf(path), version)) {
    throw new Error(`${file} is still being written: drop it again when that has ended.`);
  }
  return bytes;
}

/** Uploads a file's content below `incoming/`. A line break, which no object's name may hold, becomes `_`. */
export async function uploadDropped(bucket: Bucket, bytes: Buffer, name: string): Promise<void> {
  const object = `${INCOMING}${name.replaceAll(/\p{Cc}/gu, '_')}`;
  await bucket.file(object).save(bytes, { resumable: false, contentType: 'application/json' });
}
