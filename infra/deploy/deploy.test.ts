import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cloud } from './stand-in/cloud.ts';
import { standIns, type Answer, type Call, type Programs } from './stand-in/programs.ts';

// The tests run without Cloud Run. Stand-ins for gcloud and curl keep state as the real services do.
const names = ['import-registration', 'check-health', 'patients-api'];
const toCandidate = '--to-tags=candidate=100';
const digest = `sha256:${'a'.repeat(64)}`;
const lock = 'gs://project-releases/deployment/lock';
const live = 'gs://project-releases/deployment/live';

let cloud: Cloud;
let programs: Programs;
let log: string[];
let apiStatus: string;
/** Every command that contains this text fails. */
let broken: string | undefined;

beforeEach(async () => {
  cloud = new Cloud();
  log = [];
  apiStatus = '401';
  broken = undefined;
  for (const name of [...names, 'ops-read', 'ops-write']) cloud.services.create(name, 'old', 'dev');
  cloud.worker.live = 'kafka-worker-old';
  cloud.storage.buckets.set('project-releases', {
    versioning: true,
    publicAccessPrevention: true,
    location: '',
  });
  cloud.builds.set('build-2', { status: 'WORKING', createTime: '2026-11-28T12:00:00.000000Z' });
  programs = await standIns(['gcloud', 'curl'], answer);
  await writeFile(
    join(programs.folder, 'release.txt'),
    `release build-2\ncommit abc\n${[...names, 'kafka-worker', 'ops'].map((name) => `${name} ${digest}\n`).join('')}`,
  );
});
afterEach(() => programs[Symbol.asyncDispose]());

function answer({ program, args, stdin }: Call): Answer {
  const line = `${program} ${args.join(' ')}`;
  log.push(program === 'curl' ? `curl ${args.at(-1)}` : line);
  if (broken !== undefined && line.includes(broken)) return { code: 1, stderr: 'ERROR: broken\n' };
  return program === 'curl' ? curl(args) : cloud.handle(args, stdin);
}

function curl(args: readonly string[]): Answer {
  const url = args.at(-1) ?? '';
  if (url.endsWith('generateIdToken')) return { stdout: '{ "token": "identity" }' };
  const bodies: Record<string, [string, string]> = {
    '/openapi.json': ['200', '{"openapi": "3.1.0"}'],
    '/api/patients': [apiStatus, '{"title": "A valid bearer token is required"}'],
    '/health': [
      '200',
      `{"status":"healthy","checks":{"kafka":{"reasons":[],"reachable":${cloud.healthReachable},"groups":[]},"firestore":{"reachable":true}}}`,
    ],
  };
  const [status, body] = Object.entries(bodies).find(([path]) => url.endsWith(path))?.[1] ?? ['200', 'ok'];
  writeFileSync(args[args.indexOf('--output') + 1]!, body);
  return { stdout: status };
}

async function deploy(): Promise<{ succeeded: boolean; said: string }> {
  const env = {
    PATH: programs.path,
    PROJECT_ID: 'project',
    REGION: 'europe-west3',
    BUILD_REGION: 'europe-west1',
    BUILD_ID: 'build-2',
    BUILD_ACCOUNT: 'build@project',
    RELEASE: join(programs.folder, 'release.txt'),
    WORKER_PAUSE: '0',
    WORKER_TRIES: '2',
    LOCK_PAUSE: '0',
    LOCK_TRIES: '3',
  };
  return promisify(execFile)(new URL('deploy.sh', import.meta.url).pathname, { env }).then(
    ({ stdout, stderr }) => ({ succeeded: true, said: stdout + stderr }),
    ({ stdout, stderr }: { stdout: string; stderr: string }) => ({
      succeeded: false,
      said: stdout + stderr,
    }),
  );
}

const first = (text: string) => log.findIndex((line) => line.includes(text));
/** The revision of a service that has all the traffic. */
const serving = (name: string) =>
  cloud.services.all.get(name)?.traffic.find(({ percent }) => percent === 100)?.revision;

describe('deploy.sh', () => {
  it('tests every new revision before any traffic moves, and deploys by digest', async () => {
    const { succeeded, said } = await deploy();
    expect(said).toContain('deployed build-2');
    expect(succeeded).toBe(true);
    const deployments = log.filter((line) => line.includes('run deploy'));
    expect(deployments).toHaveLength(3);
    for (const line of deployments) expect(line).toContain(`@${digest} --no-traffic`);
    const smokeTests = ['/livez', '/openapi.json', '/api/patients', '/health'].map((path) =>
      log.findLastIndex((line) => line.startsWith('curl https://candidate---') && line.endsWith(path)),
    );
    expect(Math.min(...smokeTests)).toBeGreaterThan(log.lastIndexOf(deployments[2]!));
    expect(Math.max(...smokeTests)).toBeLessThan(first(toCandidate));
    for (const name of names) expect(serving(name)).toBe(`${name}-00002-api`);
    expect(cloud.worker.live).toBe('kafka-worker-new');
    expect(first('services update ops-read')).toBeGreaterThan(first('--to-latest'));
    for (const name of ['ops-read', 'ops-write'])
      expect(cloud.services.all.get(name)?.image).toContain(`/ops@${digest}`);
  });

  it('lets Cloud Run name the revision, so that Terraform can change a setting afterwards', async () => {
    expect((await deploy()).succeeded).toBe(true);
    for (const name of names) expect(cloud.services.change(name, 'second', true)).toEqual({});
  });

  it('would conflict with Terraform if gcloud named it', () => {
    cloud.handle(['run', 'deploy', 'patients-api', '--image=x', '--no-traffic', '--tag=candidate'], '');
    expect(cloud.services.change('patients-api', 'second', true).stderr).toContain('Error 409');
  });

  it.each([
    ['a service', () => (cloud.services.all.get('patients-api')!.traffic = []), 'patients-api'],
    ['the worker', () => (cloud.worker.live = ''), 'kafka-worker'],
  ])(
    'changes nothing when it cannot tell to which revision %s would be rolled back',
    async (_, forget, name) => {
      forget();
      const { succeeded, said } = await deploy();
      expect(succeeded).toBe(false);
      expect(said).toMatch(new RegExp(`${name} has all the .*, so a rollback would be impossible`));
      expect(log.filter((line) => /deploy |update/.test(line))).toEqual([]);
    },
  );

  it('does not deploy an image that the release does not name', async () => {
    const release = join(programs.folder, 'release.txt');
    await writeFile(release, readFileSync(release, 'utf8').replace(/^check-health.*\n/m, ''));
    const { succeeded, said } = await deploy();
    expect(succeeded).toBe(false);
    expect(said).toContain('names no digest for check-health');
    expect(said.match(/rolling back/g)).toHaveLength(1);
    expect(first('run deploy check-health')).toBe(-1);
  });

  it('moves no traffic when the new API answers without a token', async () => {
    apiStatus = '200';
    expect((await deploy()).succeeded).toBe(false);
    expect(first(toCandidate)).toBe(-1);
    expect(first('worker-pools update')).toBe(-1);
    expect(log.filter((line) => line.includes('--remove-tags=candidate'))).toHaveLength(3);
  });

  it('moves no traffic when a revision does not start', async () => {
    broken = 'run deploy patients-api';
    expect((await deploy()).succeeded).toBe(false);
    expect(first(toCandidate)).toBe(-1);
  });

  it('rolls back every service and the worker when the new worker does not reach Kafka', async () => {
    cloud.healthReachable = false;
    expect((await deploy()).succeeded).toBe(false);
    for (const name of names) expect(serving(name)).toBe(`${name}-00001-api`);
    expect(cloud.worker.live).toBe('kafka-worker-old');
    expect(cloud.services.all.get('ops-read')?.image).toBe('old');
  });

  it('rolls back only what it had moved', async () => {
    broken = 'update-traffic check-health --to-tags';
    expect((await deploy()).succeeded).toBe(false);
    expect(first('--to-revisions=import-registration-00001-api=100')).toBeGreaterThan(-1);
    expect(first('--to-revisions=patients-api-00001-api=100')).toBe(-1);
  });
});

describe('approval', () => {
  const inProduction = () => {
    for (const name of names) cloud.services.create(name, 'old', 'prod');
  };

  it('is required in production, and nothing is deployed without it', async () => {
    inProduction();
    const { succeeded, said } = await deploy();
    expect(succeeded).toBe(false);
    expect(said).toContain('production deploys only an approved build');
    expect(first('run deploy')).toBe(-1);
  });

  it('is named in the log', async () => {
    inProduction();
    const build = cloud.builds.get('build-2')!;
    cloud.builds.set('build-2', { ...build, approver: 'lead@example.org' });
    const { succeeded, said } = await deploy();
    expect(said).toMatch(/approved by\s+lead@example.org/);
    expect(succeeded).toBe(true);
  });
});

describe('the lock', () => {
  it('is released after success and after failure', async () => {
    await deploy();
    expect(cloud.storage.objects.has(lock)).toBe(false);
    broken = 'run deploy';
    await deploy();
    expect(cloud.storage.objects.has(lock)).toBe(false);
  });

  it('makes a deployment wait for another, and then give up with a hint how to unlock', async () => {
    cloud.storage.put(lock, 'build-1');
    cloud.builds.set('build-1', { status: 'WORKING', createTime: '2026-11-28T11:00:00.000000Z' });
    const { succeeded, said } = await deploy();
    expect(succeeded).toBe(false);
    expect(said).toContain('build build-1 is deploying, waiting (3 of 3)');
    expect(said).toContain(`gcloud storage rm ${lock}`);
    expect(first('run deploy')).toBe(-1);
    expect(cloud.storage.read(lock).stdout).toBe('build-1');
  });

  it.each(['FAILURE', 'CANCELLED', 'TIMEOUT', 'SUCCESS'])(
    'is taken from a build that ended as %s',
    async (status) => {
      cloud.storage.put(lock, 'build-1');
      cloud.builds.set('build-1', { status, createTime: '2026-11-28T11:00:00.000000Z' });
      expect((await deploy()).succeeded).toBe(true);
    },
  );

  it('is recognised as its own when the response was lost', async () => {
    cloud.storage.put(lock, 'build-2');
    expect((await deploy()).succeeded).toBe(true);
    expect(cloud.storage.objects.has(lock)).toBe(false);
  });

  it('does not let an older build overtake a newer one', async () => {
    cloud.storage.put(live, '2026-11-28T12:00:01.000000Z build-3');
    const { succeeded, said } = await deploy();
    expect(succeeded).toBe(false);
    expect(said).toContain('build build-3 is newer and already live');
    expect(first('run deploy')).toBe(-1);
    expect(cloud.storage.objects.has(lock)).toBe(false);
  });

  it('does not deploy when the bucket cannot be read', async () => {
    broken = 'storage cat gs://project-releases/deployment/live';
    expect((await deploy()).succeeded).toBe(false);
    expect(first('run deploy')).toBe(-1);
  });

  it('records which build is live', async () => {
    await deploy();
    expect(cloud.storage.read(live).stdout).toBe('2026-11-28T12:00:00.000000Z build-2');
  });
});
