/**
 * Memory of the deployables under load, each as its image starts it and in a cgroup with its limit of infra/*.tf: many imports with
 * their events, files of the largest size, requests to the API, and scheduled runs that walk through the whole bucket.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deployable } from '../../infra/bundle.ts';
import { MAX_FILE_BYTES } from '../../shared/registration/registration-file.ts';
import { aBody, startIssuer } from '../support/api.ts';
import { aRegistration } from '../support/builders.ts';
import { workerCorner, type WorkerCorner } from '../support/worker.ts';
import { memoryGroup } from './cgroup.ts';
import {
  build,
  expectStatus,
  importAll,
  registrations,
  start,
  untilRelayed,
  type Deployed,
} from './deployed.ts';
import { concurrencyOf, memoryLimitMiB } from './limits.ts';
import { forgetPeak, peakMiB, rate, type Bench, type Row } from './rows.ts';

const LOCAL = join(import.meta.dirname, '../../.local');
const FUNCTIONS = ['import-registration', 'patients-api', 'check-health'] as const;
const FEW = 2_000;
const MANY = 10_000;
const STEP = 1_000;
const LARGE_FILES = 64;
const REQUESTS = 800;
const WALKS = 3;

export const bench: Bench = async (progress) => {
  const probe = await memoryGroup('patient-service-probe', 2 ** 29);
  if (probe === undefined) {
    progress('SKIPPED: no cgroup can be made here. NOTHING was measured with the memory limits of infra/');
    return [];
  }
  await probe.remove();
  const dist = await mkdtemp(join(LOCAL, 'memory-'));
  const issuer = await startIssuer();
  const corner = await workerCorner({ ...issuer.environment });
  const parts = new Map<Deployable, Deployed>();
  const part = (name: Deployable) => {
    const found = parts.get(name);
    if (found === undefined) throw new Error(`${name} was not started`);
    return found;
  };
  try {
    const begin = async (name: Deployable) => {
      progress(`building and starting ${name} with ${memoryLimitMiB(name)} MiB`);
      parts.set(name, await start(await build(name, dist, corner.environment)));
    };
    for (const name of FUNCTIONS) await begin(name);
    const importing = (contents: readonly string[]) =>
      importAll(corner.world.project, part('import-registration'), contents);
    const walks = new Map<number, number>();
    for (let done = STEP; done <= MANY; done += STEP) {
      const perSecond = await importing(registrations(STEP));
      if (done === FEW || done === MANY) walks.set(done, await peakOfWalks(corner, part('check-health')));
      progress(`${done} of ${MANY} imports, ${perSecond.toFixed(0)}/s: ${await inWords(parts)}`);
    }
    const afterMany = await peakMiB(part('import-registration').pid);
    progress(`${LARGE_FILES} files of 1 MiB, ${REQUESTS} requests to the API`);
    await importing(Array.from({ length: LARGE_FILES }, () => aLargeFile()));
    await request(part('patients-api'), issuer.tokens.admin);
    await begin('kafka-worker');
    await untilRelayed(corner.world.db);
    const killed = await Promise.all([...parts.values()].map(async ({ group }) => group?.kills() ?? 0));
    if (killed.some((kills) => kills > 0)) throw new Error('the kernel ended a process at its memory limit');
    const peak = async (name: Deployable, under: string, goal = limitOf(name)): Promise<Row> => ({
      name: `memory of ${name}, at most, ${under}`,
      value: await peakMiB(part(name).pid),
      unit: 'MiB',
      goal,
    });
    return [
      {
        ...(await peak(
          'import-registration',
          `in ${MANY} imports`,
          `< 300; ${limitOf('import-registration')}`,
        )),
        value: afterMany,
      },
      await peak(
        'import-registration',
        `with ${concurrencyOf('import-registration')} files of 1 MiB at a time`,
      ),
      {
        ...(await peak(
          'check-health',
          `in walks of ${MANY} objects, against ${FEW}`,
          `flat; ${limitOf('check-health')}`,
        )),
        value: walks.get(MANY) ?? Number.NaN,
        bare: walks.get(FEW) ?? Number.NaN,
      },
      await peak('patients-api', `with ${concurrencyOf('patients-api')} requests at a time`),
      await peak('kafka-worker', `while it relayed what ${MANY} imports had put into the outbox`),
    ];
  } finally {
    for (const { stop } of parts.values()) await stop();
    await corner.world.db.terminate();
    await rm(dist, { recursive: true, force: true });
  }
};

function limitOf(name: Deployable): string {
  return `limit ${memoryLimitMiB(name)}`;
}

/** Refused only after it was downloaded and parsed as a whole. */
function aLargeFile(): string {
  const registration = aRegistration({ email: null });
  const room = MAX_FILE_BYTES - JSON.stringify({ ...registration, filler: [''] }).length;
  return JSON.stringify({
    ...registration,
    filler: Array.from({ length: Math.floor(room / 20) }, () => 'x'.repeat(17)),
  });
}

/** @returns the most memory that check-health takes while it walks through the bucket a few times, in MiB */
async function peakOfWalks({ world }: WorkerCorner, { url, pid }: Deployed): Promise<number> {
  await forgetPeak(pid);
  for (let walk = 0; walk < WALKS; walk += 1) {
    // Without the last snapshot, a run walks through the whole bucket again.
    const { docs } = await world.db.collection('health_snapshots').get();
    for (const { ref } of docs) await ref.delete();
    await expectStatus(await fetch(`${url}/run`, { method: 'POST' }), 200);
  }
  return peakMiB(pid);
}

/** Creates and reads patients, and reads the longest pages of the list. */
async function request({ url }: Deployed, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const shots = Array.from({ length: REQUESTS }, (_, n) => n);
  await rate(shots, concurrencyOf('patients-api'), async (n) => {
    if (n % 40 === 0) await expectStatus(await fetch(`${url}/api/patients?limit=100`, { headers }), 200);
    else {
      const body = JSON.stringify(aBody());
      await expectStatus(await fetch(`${url}/api/patients`, { method: 'POST', headers, body }), 201);
    }
  });
}

async function inWords(parts: ReadonlyMap<Deployable, Deployed>): Promise<string> {
  const peaks = [...parts].map(async ([name, { pid }]) => `${name} ${(await peakMiB(pid)).toFixed(0)} MiB`);
  return (await Promise.all(peaks)).join(', ');
}
