import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cloud } from './stand-in/cloud.ts';
import { standIns, type Programs } from './stand-in/programs.ts';

const names = ['import-registration', 'patients-api', 'check-health', 'kafka-worker', 'ops'];
const digestOf = (name: string) => `sha256:${name.length.toString(16).padStart(64, '0')}`;
const registry = (project: string) => `europe-west3-docker.pkg.dev/${project}/patient-service`;

let cloud: Cloud;
let programs: Programs;

beforeEach(async () => {
  cloud = new Cloud();
  for (const name of ['dev-releases', 'prod-releases'])
    cloud.storage.buckets.set(name, { versioning: true, publicAccessPrevention: true, location: '' });
  for (const name of names) {
    cloud.images.set(`${registry('dev')}/${name}:build-2`, digestOf(name));
    cloud.provenance.add(`${registry('dev')}/${name}@${digestOf(name)}`);
  }
  programs = await standIns(['gcloud'], ({ args, stdin }) => cloud.handle(args, stdin));
  cloud.folder = programs.folder;
  for (const name of names) {
    await mkdir(join(programs.folder, 'dist', name), { recursive: true });
    await writeFile(join(programs.folder, 'dist', name, 'sbom.cdx.json'), '{"bomFormat":"CycloneDX"}');
  }
});
afterEach(() => programs[Symbol.asyncDispose]());

const file = () => join(programs.folder, 'release.txt');

async function release(project: string, ...args: string[]): Promise<{ code: number; said: string }> {
  return promisify(execFile)(new URL('release.sh', import.meta.url).pathname, args, {
    cwd: programs.folder,
    env: {
      PATH: programs.path,
      PROJECT_ID: project,
      REGION: 'europe-west3',
      BUILD_ID: 'build-2',
      COMMIT_SHA: 'abc',
      RELEASE: file(),
    },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, said: stdout + stderr }),
    ({ code, stdout, stderr }) => ({ code, said: stdout + stderr }),
  );
}

async function publishedInDev(): Promise<void> {
  await release('dev', 'describe');
  await release('dev', 'publish');
  cloud.storage.put('gs://dev-releases/deployment/live', '2026-11-28T12:00:00Z build-2');
  await writeFile(file(), '');
}

describe('release.sh', () => {
  it('lists the digests that were pushed', async () => {
    expect((await release('dev', 'describe')).code).toBe(0);
    expect(await readFile(file(), 'utf8')).toBe(
      `release build-2\ncommit abc\n${names.map((name) => `${name} ${digestOf(name)}\n`).join('')}`,
    );
  });

  it('publishes a release with an SBOM for each image, once', async () => {
    await release('dev', 'describe');
    expect((await release('dev', 'publish')).code).toBe(0);
    for (const name of names) {
      const url = `gs://dev-releases/sbom/build-2/${name}.cdx.json`;
      expect(cloud.storage.read(url).stdout).toContain('CycloneDX');
    }
    expect((await release('dev', 'publish')).code).not.toBe(0);
  });

  it.each(['build-2', 'latest'])('fetches exactly the release that dev has published, as %s', async (id) => {
    await publishedInDev();
    const { code, said } = await release('prod', 'fetch', 'dev', id);
    expect(said).toContain('release build-2 of dev, commit abc');
    expect(code).toBe(0);
    for (const name of names) expect(await readFile(file(), 'utf8')).toContain(`${name} ${digestOf(name)}\n`);
  });

  it('does not fetch a release that dev has not published', async () => {
    const { code, said } = await release('prod', 'fetch', 'dev', 'build-2');
    expect(code).not.toBe(0);
    expect(said).toContain('only a release that was tested and deployed there can be promoted');
  });

  it('does not fetch an image without provenance', async () => {
    await publishedInDev();
    cloud.provenance.delete(`${registry('dev')}/check-health@${digestOf('check-health')}`);
    const { code, said } = await release('prod', 'fetch', 'dev', 'build-2');
    expect(code).not.toBe(0);
    expect(said).toContain('check-health@sha256:');
    expect(said).toContain('has no provenance');
  });

  it('refuses an id that is a path', async () => {
    expect((await release('prod', 'fetch', 'dev', '../deployment/live')).said).toContain(
      'is not a release id',
    );
  });

  it('refuses copies that differ from the tested images', async () => {
    await publishedInDev();
    await release('prod', 'fetch', 'dev', 'build-2');
    for (const name of names) cloud.images.set(`${registry('prod')}/${name}:build-2`, digestOf(name));
    expect((await release('prod', 'compare')).code).toBe(0);
    cloud.images.set(`${registry('prod')}/kafka-worker:build-2`, `sha256:${'f'.repeat(64)}`);
    expect((await release('prod', 'compare')).said).toContain('kafka-worker here is sha256:ffff');
  });
});
