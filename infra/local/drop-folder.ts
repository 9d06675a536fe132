/**
 * The watched drop folder: each file put into it goes to `incoming/` in the bucket, once it is written whole,
 * and then leaves the folder. A file that cannot be uploaded stays and is tried again.
 */
import { mkdirSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bucket } from '@google-cloud/storage';
import { watch } from 'chokidar';

export interface DropFolder {
  close(): Promise<void>;
}

/**
 * Watches a folder, which is made when it is missing.
 * @param settledAfterMs a file whose size has not changed for so long is whole
 */
export async function watchDropFolder(
  folder: string,
  bucket: Bucket,
  { settledAfterMs = 100, retryAfterMs = 1000, onTrouble = (_sentence: string): void => {} } = {},
): Promise<DropFolder> {
  mkdirSync(folder, { recursive: true });
  const closing = new AbortController();

  async function handOver(path: string): Promise<void> {
    const name = relative(folder, path).split(sep).join('/');
    for (let attempt = 1; !closing.signal.aborted; attempt += 1) {
      try {
        await uploadFile(bucket, path, name);
        await rm(path);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
        if (attempt === 1) onTrouble('a file cannot be uploaded and is tried again');
        await sleep(retryAfterMs, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
  }

  const watcher = watch(folder, {
    awaitWriteFinish: { stabilityThreshold: settledAfterMs, pollInterval: 25 },
    // What editors and copy tools write before they rename it.
    ignored: (path) => /(^|[/\\])\.[^/\\]+$|\.(part|tmp|crdownload)$|~$/.test(relative(folder, path)),
  });
  // Such as too few inotify watches on this machine.
  watcher.on('error', (error) => onTrouble(`is not watched any more: ${(error as Error).message}`));
  const uploads = new Set<Promise<void>>();
  watcher.on('add', (path) => {
    const upload = handOver(path).finally(() => uploads.delete(upload));
    uploads.add(upload);
  });
  await new Promise<void>((resolve) => void watcher.once('ready', resolve));
  return {
    async close() {
      closing.abort();
      await watcher.close();
      await Promise.all(uploads);
    },
  };
}

/** Uploads a local file below `incoming/`. */
export async function uploadFile(bucket: Bucket, path: string, name: string): Promise<void> {
  const bytes = await readFile(path);
  await bucket.file(`incoming/${name}`).save(bytes, { resumable: false, contentType: 'application/json' });
}
