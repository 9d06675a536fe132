/**
 * The watched drop folder: uploads each file in it to `incoming/` in the bucket and then removes it. A file is whole when
 * no process holds it open for writing, it is not empty, and it has not changed for a moment. A file that changes after
 * it was read is uploaded again; a failed upload is tried again. Links are left alone.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { watch } from 'chokidar';
import pLimit from 'p-limit';
import type { ImportBucket } from '../../shared/registration/bucket.ts';
import { isSame, NameTooLong, uploadDropped, versionOf, type Version } from './dropped-file.ts';
import { canTellWriters, heldForWriting } from './open-files.ts';

export interface DropFolder {
  close(): Promise<void>;
}

export interface DropFolderOptions {
  /** Milliseconds without a change before an upload; by default longer where the system does not show who writes a file. */
  readonly settledAfterMs?: number;
  readonly retryAfterMs?: number;
  readonly canTell?: () => Promise<boolean>;
  readonly onTrouble?: (sentence: string) => void;
}

/** A file of the folder as of the last look. */
interface Dropped {
  /** Path below the folder, with `/`. */
  readonly name: string;
  path: string;
  seen: Version | undefined;
  /** When this version was first seen, and when to look again: milliseconds of `performance.now()`. */
  since: number;
  nextLook: number;
}

/** Folder in which uploaded files wait for their removal, where no process finds them by their old name. */
const TAKEN = '.taken';
const LOOK_EVERY_MS = 50;
/** Milliseconds until the next look at a file that is empty or held open. */
const LOOK_LATER_MS = 500;

/** Watches a folder; creates it when it is missing. */
export async function watchDropFolder(
  folder: string,
  bucket: ImportBucket,
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
    onTrouble('this system does not show who writes a file: a file is uploaded after 3 s without a change');
  }
  const waiting = new Map<string, Dropped>();
  const limit = pLimit(8);
  let isClosing = false;
  let isTroubled = false;

  function expect(path: string, name = relative(folder, path).split(sep).join('/')): void {
    if (!waiting.has(path)) waiting.set(path, { name, path, seen: undefined, since: 0, nextLook: 0 });
  }

  /** @returns true when the file has not changed for long enough */
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
    // A process that opened the file before it was moved may still write to it.
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
      if (error instanceof NameTooLong) {
        onTrouble(error.message);
        waiting.delete(file.path);
        return [];
      }
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && !isTroubled) {
        isTroubled = true;
        onTrouble('a file cannot be uploaded; it will be tried again');
      }
      file.nextLook = performance.now() + retryAfterMs;
      return [];
    }
  }

  /** Moves an uploaded file to {@link TAKEN}; a file that has changed since its upload stays and waits again. */
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

  /** Removes a moved file; one that changed after it was read waits and is uploaded again from its new place. */
  async function removeUnchanged(file: Dropped): Promise<void> {
    if (!isSame(await versionOf(file.path), file.seen)) return;
    await unlink(file.path);
    waiting.delete(file.path);
    await rm(join(folder, TAKEN, relative(join(folder, TAKEN), file.path).split(sep)[0] ?? ''), {
      recursive: true,
      force: true,
    });
    // The folder goes with its last file.
    await rmdir(join(folder, TAKEN)).catch(() => undefined);
  }

  // Files whose removal was interrupted by a stop: upload them again, because they may have changed.
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
    // Temporary names that editors and copy tools use before a rename.
    ignored: (path) => /(^|[/\\])\.[^/\\]+$|\.(part|tmp|crdownload)$|~$/.test(relative(folder, path)),
  });
  // For example when the machine has too few inotify watches.
  watcher.on('error', (error) => onTrouble(`is no longer watched: ${(error as Error).message}`));
  watcher.on('add', (path) => expect(path)).on('change', (path) => expect(path));
  const tellUnreadable = createUnreadable(folder, onTrouble);
  watcher.on('raw', (_, path) => void (path?.includes(REPLACEMENT) === true && tellUnreadable()));
  await new Promise<void>((resolve) => void watcher.once('ready', resolve));
  await tellUnreadable();

  let looking: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const lookAgain = (): void => {
    if (isClosing) return;
    timer = setTimeout(() => {
      looking = lookAtAll()
        .catch((error: unknown) => onTrouble(`cannot be read: ${(error as Error).message}`))
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

/** What Node puts into a name for bytes that are not UTF-8. No file is found by such a name. */
const REPLACEMENT = '\uFFFD';

/** @returns a function that tells once of each file whose name cannot be read. It never rejects. */
function createUnreadable(folder: string, onTrouble: (sentence: string) => void): () => Promise<void> {
  const told = new Set<string>();
  return async () => {
    const paths = await readdir(folder, { recursive: true }).catch(() => []);
    for (const path of paths.filter((one) => one.includes(REPLACEMENT) && !told.has(one))) {
      if (await lstat(join(folder, path)).catch(() => undefined)) continue;
      told.add(path);
      onTrouble('the name of a file is not UTF-8, so it is not uploaded: rename it');
    }
  };
}
