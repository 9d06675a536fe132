import { appendFile, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { importWorld, objectNames } from '../../test/support/import-world.ts';
import { watchDropFolder, type DropFolder } from './drop-folder.ts';

let folder: string;
let bucket: Awaited<ReturnType<typeof importWorld>>['bucket'];
let dropFolder: DropFolder | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drop-'));
  ({ bucket } = await importWorld());
});
afterEach(async () => {
  await dropFolder?.close();
  await rm(folder, { recursive: true, force: true });
});

const incoming = (names: string[]) =>
  vi.waitFor(async () => expect(await objectNames(bucket)).toEqual(names), 5000);

it('uploads a file and takes it out of the folder', async () => {
  dropFolder = await watchDropFolder(folder, bucket);
  await writeFile(join(folder, 'a.json'), '{}');
  await incoming(['incoming/a.json']);
  await vi.waitFor(async () => expect(await readdir(folder)).toEqual([]));
});

it('uploads what lay there before it was started', async () => {
  await writeFile(join(folder, 'early.json'), '{}');
  dropFolder = await watchDropFolder(folder, bucket);
  await incoming(['incoming/early.json']);
});

it('waits until a slow writer has finished', async () => {
  dropFolder = await watchDropFolder(folder, bucket, { settledAfterMs: 1_000 });
  const file = join(folder, 'slow.json');
  for (let part = 0; part < 8; part += 1) {
    await appendFile(file, `${part}`);
    await sleep(100);
    expect(await objectNames(bucket)).toEqual([]);
  }
  await incoming(['incoming/slow.json']);
  const [bytes] = await bucket.file('incoming/slow.json').download();
  expect(bytes.toString()).toBe('01234567');
});

it('waits for a file that is held open while it is empty, and uploads it once and whole', async () => {
  dropFolder = await watchDropFolder(folder, bucket);
  const writer = await open(join(folder, 'slow.json'), 'w');
  await sleep(1_000);
  expect(await objectNames(bucket)).toEqual([]);
  await writer.write('{"a":');
  await sleep(1_000);
  expect(await objectNames(bucket)).toEqual([]);
  await writer.write('1}');
  await writer.close();
  await incoming(['incoming/slow.json']);
  const [bytes] = await bucket.file('incoming/slow.json').download();
  expect(bytes.toString()).toBe('{"a":1}');
});
