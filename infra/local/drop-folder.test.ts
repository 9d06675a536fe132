import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFile,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ImportBucket } from '../../shared/registration/bucket.ts';
import { eventually } from '../../test/support/eventually.ts';
import { importWorld, objectNames } from '../../test/support/import-world.ts';
import { watchDropFolder, type DropFolder } from './drop-folder.ts';
import { readWhole } from './dropped-file.ts';

let folder: string;
let importBucket: ImportBucket;
let bucket: Awaited<ReturnType<typeof importWorld>>['bucket'];
let dropFolder: DropFolder | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drop-'));
  const world = await importWorld();
  ({ bucket } = world);
  importBucket = world.deps.bucket;
});
afterEach(async () => {
  await dropFolder?.close();
  await rm(folder, { recursive: true, force: true });
});

const incoming = (names: string[]) =>
  eventually(async () => expect(await objectNames(bucket)).toEqual(names));

it('uploads a file and removes it from the folder', async () => {
  dropFolder = await watchDropFolder(folder, importBucket);
  await writeFile(join(folder, 'a.json'), '{}');
  await incoming(['incoming/a.json']);
  await eventually(async () => expect(await readdir(folder)).toEqual([]));
});

it('uploads files that were there before it started', async () => {
  await writeFile(join(folder, 'early.json'), '{}');
  dropFolder = await watchDropFolder(folder, importBucket);
  await incoming(['incoming/early.json']);
});

it('waits until a slow writer has finished', async () => {
  dropFolder = await watchDropFolder(folder, importBucket, { settledAfterMs: 2_000 });
  const file = join(folder, 'slow.json');
  for (let part = 0; part < 8; part += 1) {
    await appendFile(file, `${part}`);
    await sleep(300);
  }
  await incoming(['incoming/slow.json']);
  // A part that was uploaded too early would be gone from the folder, and missing here.
  const [bytes] = await bucket.file('incoming/slow.json').download();
  expect(bytes.toString()).toBe('01234567');
});

/** The writer of slow.json has written `{"a":` so far. */
async function isUploadedOnceWhole(writer: FileHandle): Promise<void> {
  await sleep(1_000);
  expect(await objectNames(bucket)).toEqual([]);
  await writer.write('1}');
  await writer.close();
  await incoming(['incoming/slow.json']);
  const [bytes] = await bucket.file('incoming/slow.json').download();
  expect(bytes.toString()).toBe('{"a":1}');
}

it('waits for a file that is held open while it is empty, and uploads it once and whole', async () => {
  dropFolder = await watchDropFolder(folder, importBucket);
  const writer = await open(join(folder, 'slow.json'), 'w');
  await sleep(1_000);
  expect(await objectNames(bucket)).toEqual([]);
  await writer.write('{"a":');
  await isUploadedOnceWhole(writer);
});

it('waits for a writer that opened the file by another link', async () => {
  dropFolder = await watchDropFolder(folder, importBucket);
  const [temporary, file] = [join(folder, 'slow.tmp'), join(folder, 'slow.json')];
  const writer = await open(temporary, 'w');
  await writer.write('{"a":');
  await link(temporary, file);
  await unlink(temporary);
  await isUploadedOnceWhole(writer);
});

const FIXTURE = join(import.meta.dirname, '../../test/fixtures/registration-valid.json');
const contentOf = async (name: string) => (await bucket.file(`incoming/${name}`).download())[0].toString();
const generations = async (name: string) =>
  (await bucket.file(`incoming/${name}`).getMetadata())[0].generation;

it('waits for a shell redirection that writes late', async () => {
  dropFolder = await watchDropFolder(folder, importBucket);
  const shell = spawn('sh', ['-c', `{ read go; cat "${FIXTURE}"; } > "${join(folder, 'slow.json')}"`]);
  const ended = once(shell, 'exit');
  await sleep(1_500);
  expect(await objectNames(bucket)).toEqual([]);
  shell.stdin.end('go\n');
  await ended;
  await incoming(['incoming/slow.json']);
  const generation = await generations('slow.json');
  expect(await contentOf('slow.json')).toBe(await readFile(FIXTURE, 'utf8'));
  await eventually(async () => expect(await readdir(folder)).toEqual([]));
  await sleep(500);
  expect(await generations('slow.json')).toBe(generation);
});

it('leaves an empty file, and uploads it once it has content', async () => {
  dropFolder = await watchDropFolder(folder, importBucket);
  const file = join(folder, 'later.json');
  await writeFile(file, '');
  await sleep(1_000);
  expect(await objectNames(bucket)).toEqual([]);
  expect(await readdir(folder)).toEqual(['later.json']);
  await writeFile(file, '{}');
  await incoming(['incoming/later.json']);
  expect(await contentOf('later.json')).toBe('{}');
});

it('uploads a file again that changed after it was read, and removes only the uploaded version', async () => {
  const file = join(folder, 'twice.json');
  await writeFile(file, '{"version":1}');
  const changing = new Proxy(bucket, {
    get(target, name, receiver) {
      if (name !== 'file') return Reflect.get(target, name, receiver) as unknown;
      return (object: string) => ({
        async save(bytes: Buffer, options: object) {
          if (bytes.toString() === '{"version":1}') await writeFile(file, '{"version":2}');
          await target.file(object).save(bytes, options);
        },
      });
    },
  });
  dropFolder = await watchDropFolder(folder, { name: bucket.name, client: async () => changing });
  await eventually(async () => expect(await readdir(folder)).toEqual([]));
  expect(await contentOf('twice.json')).toBe('{"version":2}');
});

it('leaves a link and its target alone', async () => {
  const outside = await mkdtemp(join(tmpdir(), 'outside-'));
  await writeFile(join(outside, 'private.json'), '{}');
  await symlink(join(outside, 'private.json'), join(folder, 'link.json'));
  await symlink(outside, join(folder, 'folder'));
  dropFolder = await watchDropFolder(folder, importBucket);
  await writeFile(join(folder, 'plain.json'), '{}');
  await incoming(['incoming/plain.json']);
  await eventually(async () => expect((await readdir(folder)).sort()).toEqual(['folder', 'link.json']));
  expect(await objectNames(bucket)).toEqual(['incoming/plain.json']);
  expect(await readdir(outside)).toEqual(['private.json']);
  await rm(outside, { recursive: true });
});

it('uploads a file whose name holds a line break', async () => {
  dropFolder = await watchDropFolder(folder, importBucket);
  await writeFile(join(folder, 'two\nlines.json'), '{}');
  await incoming(['incoming/two_lines.json']);
  await eventually(async () => expect(await readdir(folder)).toEqual([]));
});

it('says once of a file that cannot be uploaded under its name what to do, and uploads the others', async () => {
  const said: string[] = [];
  const named = (text: string) => Buffer.concat([Buffer.from(join(folder, text)), Buffer.from([0xff])]);
  const deep = join(folder, ...Array.from({ length: 5 }, () => 'x'.repeat(250)));
  await writeFile(named('before'), '{}');
  dropFolder = await watchDropFolder(folder, importBucket, {
    canTell: async () => true,
    retryAfterMs: 10,
    onTrouble: (sentence) => void said.push(sentence),
  });
  await mkdir(deep, { recursive: true });
  await writeFile(join(deep, 'long.json'), '{}');
  const notUtf8 = 'the name of a file is not UTF-8, so it is not uploaded: rename it';
  const tooLong = 'the path of a file has more than 1015 bytes, so it is not uploaded: shorten it';
  await eventually(() => expect(said).toEqual([notUtf8, tooLong]));

  await writeFile(named('after'), '{}');
  await eventually(() => expect(said).toEqual([notUtf8, tooLong, notUtf8]));
  await writeFile(join(folder, 'good.json'), '{}');
  await incoming(['incoming/good.json']);
  expect(said).toHaveLength(3);
});

it('uploads 50 files at once, each once and whole', async () => {
  dropFolder = await watchDropFolder(folder, importBucket);
  const names = Array.from({ length: 50 }, (_, n) => `${String(n).padStart(2, '0')}.json`);
  await Promise.all(
    names.map(async (name) => {
      // Half are written in the folder, half are renamed into it.
      const file = join(folder, name);
      if (Number(name.slice(0, 2)) % 2 === 0) return copyFile(FIXTURE, file);
      await copyFile(FIXTURE, `${file}.part`);
      return rename(`${file}.part`, file);
    }),
  );
  await eventually(async () => expect(await readdir(folder)).toEqual([]));
  expect(await objectNames(bucket)).toEqual(names.map((name) => `incoming/${name}`));
  const whole = await readFile(FIXTURE, 'utf8');
  for (const name of names) expect(await contentOf(name)).toBe(whole);
});

it('warns once and waits longer where the system does not show who writes a file', async () => {
  const said: string[] = [];
  dropFolder = await watchDropFolder(folder, importBucket, {
    canTell: async () => false,
    onTrouble: (sentence) => void said.push(sentence),
  });
  const writtenAt = performance.now();
  await writeFile(join(folder, 'a.json'), '{}');
  await incoming(['incoming/a.json']);
  expect(performance.now() - writtenAt).toBeGreaterThanOrEqual(3_000);
  expect(said).toEqual([
    'this system does not show who writes a file: a file is uploaded after 3 s without a change',
  ]);
});

it('refuses to read a named file that is empty, open for writing or not a file, and says which', async () => {
  const file = join(folder, 'named.json');
  const writer = await open(file, 'w');
  await expect(readWhole(file)).rejects.toThrow('named.json is empty: drop it again once it is written.');
  await writer.write('{}');
  await expect(readWhole(file)).rejects.toThrow('named.json is still being written');
  await writer.close();
  expect((await readWhole(file)).toString()).toBe('{}');
  await expect(readWhole(folder)).rejects.toThrow('is not a file');
});
