import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { imageOf } from '../local/engines/containers.ts';
import { standIns, type Programs } from './stand-in/programs.ts';

const files = [
  'cloudbuild.yaml',
  'infra/deploy/promote.yaml',
  'infra/Dockerfile',
  'infra/local/engines/images.yaml',
];
const root = new URL('../../', import.meta.url).pathname;

let folder: string;
let registry: Programs;
let digest: (image: string) => string;
let asked: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patient-service-pin-'));
  for (const file of files) await mkdir(join(folder, file, '..'), { recursive: true });
  for (const file of files) await cp(join(root, file), join(folder, file));
  asked = [];
  digest = () => `sha256:${'1'.repeat(64)}`;
  registry = await standIns(['crane'], ({ args: [, image = ''] }) => {
    asked.push(image);
    return { stdout: `${digest(image)}\n` };
  });
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function pin(...args: string[]): Promise<{ code: number; said: string }> {
  return promisify(execFile)(new URL('pin.sh', import.meta.url).pathname, args, {
    env: { PATH: registry.path, PIN_ROOT: folder },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, said: stdout + stderr }),
    ({ code, stdout, stderr }) => ({ code, said: stdout + stderr }),
  );
}

const texts = () => Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
const references = (text: string) =>
  [...text.matchAll(/^(?:FROM| +name:) (\S+)/gm)].map(([, image = '']) => image);

describe('pin.sh', () => {
  it('pins every base image and build step, and changes nothing else', async () => {
    const before = await texts();
    expect((await pin()).code).toBe(0);
    const after = await texts();
    expect(after.flatMap(references)).toHaveLength(before.flatMap(references).length);
    for (const image of after.flatMap(references)) expect(image).toMatch(/^[^@]+@sha256:1{64}$/);
    const unpinned = (text: string) => text.replaceAll(/@sha256:\w+/g, '');
    expect(after.map(unpinned)).toEqual(before.map(unpinned));
    expect(asked).toContain('gcr.io/distroless/nodejs24-debian12:nonroot');
    expect(asked).toContain((await imageOf('kafka')).replace(/@.*/, ''));
    expect((await pin('--check')).code).toBe(0);
  });

  it('updates a pin from its tag', async () => {
    await pin();
    digest = () => `sha256:${'2'.repeat(64)}`;
    expect((await pin()).said).toContain(
      `gcr.io/distroless/nodejs24-debian12:nonroot: sha256:${'2'.repeat(64)}`,
    );
    for (const image of (await texts()).flatMap(references)) expect(image).toMatch(/@sha256:2{64}$/);
    expect(asked.filter((image) => image.includes('@'))).toEqual([]);
  });

  it('changes no file when the registry does not know one image', async () => {
    const before = await texts();
    digest = (image) => (image.startsWith('node') ? 'manifest unknown' : `sha256:${'1'.repeat(64)}`);
    const { code, said } = await pin();
    expect(code).toBe(1);
    expect(said).toContain('the registry gave no digest for node:24-');
    expect(await texts()).toEqual(before);
  });

  it('lists the images that are not pinned without asking a registry', async () => {
    const unpinned = (await texts()).flatMap(references).filter((image) => !image.includes('@sha256:'));
    const { code, said } = await pin('--check');
    expect(code).toBe(unpinned.length === 0 ? 0 : 1);
    for (const image of unpinned) expect(said).toContain(image);
    expect(asked).toEqual([]);
  });
});
