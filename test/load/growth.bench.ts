/**
 * How the service grows with its data: imports, list, scheduled run, relay and memory with more and more patients and events that
 * wait, then the operators' commands that read every patient. Each deployable has its limits of infra/*.tf where cgroups can be made.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Firestore } from '@google-cloud/firestore';
import type { Deployable } from '../../infra/bundle.ts';
import { showProgress } from '../../shared/platform/progress.ts';
import { startIssuer } from '../support/api.ts';
import { workerCorner } from '../support/worker.ts';
import {
  build,
  expectStatus,
  importAll,
  peakOf,
  registrations,
  start,
  untilRelayed,
  type Deployed,
  type Image,
} from './deployed.ts';
import { addEvents, addPatients } from './fill.ts';
import { peakMiB, percentile, type Bench, type Row } from './rows.ts';

const LOCAL = join(import.meta.dirname, '../../.local');
const SIZES = [1_000, 10_000, 50_000];
const BACKLOGS = [10_000, 100_000];
const IMPORTS = 200;
/** How often the list is read: with 1,000 patients often enough for a p99; with more a read takes the emulator seconds. */
const LISTS = [100, 10, 10];
/** Events for the relay where none wait. */
const RELAYED = 4_000;
const FUNCTIONS = ['import-registration', 'patients-api', 'check-health'] as const;

export const bench: Bench = async (progress) => {
  const dist = await mkdtemp(join(LOCAL, 'growth-'));
  const issuer = await startIssuer();
  const { world, environment, ...corner } = await workerCorner(issuer.environment);
  const functions = new Map<Deployable, Deployed>();
  try {
    progress('building and starting the deployables');
    for (const name of FUNCTIONS) functions.set(name, await start(await build(name, dist, environment)));
    const service: Service = {
      db: world.db,
      project: world.project,
      functions,
      worker: await build('kafka-worker', dist, environment),
      token: issuer.tokens.admin,
    };
    const points: Point[] = [];
    const addPoint = async (name: string, events: number, lists = 3) => {
      const measured = await measure(service, lists);
      if (events > 0)
        await counted(`adding ${events} events`, events, (done) => addEvents(world.db, events, done));
      points.push({ name, ...measured, ...(await relayAll(service)) });
      progress(inWords(points.at(-1)));
    };
    for (const [at, size] of SIZES.entries()) {
      const stored = SIZES[at - 1] ?? 0;
      await counted(`storing ${size} patients`, size, (done) => addPatients(world.db, stored, size, done));
      await relayAll(service);
      await addPoint(`${size} patients`, RELAYED, LISTS[at]);
    }
    const ops = await build('ops', dist, environment);
    progress('ops lag, which reads nearly nothing');
    const idle = await peakOf(ops, ['lag']);
    const above = async (...args: string[]): Promise<Row> => {
      progress(`ops ${args.join(' ')}`);
      const peak = await peakOf(ops, args);
      progress(
        `ops ${args.join(' ')}: ${(peak - idle).toFixed(0)} MiB above ops lag, ${idle.toFixed(0)} MiB`,
      );
      return {
        name: `ops ${args.join(' ')}, ${SIZES.at(-1)} patients: memory above that of ops lag, ${idle.toFixed(0)} MiB`,
        value: peak - idle,
        unit: 'MiB',
        goal: '≤ 256 MiB',
      };
    };
    const commands = [await above('verify'), await above('republish', '--all')];
    await relayAll(service);
    for (const backlog of BACKLOGS) {
      await counted(`adding ${backlog} events`, backlog, (done) => addEvents(world.db, backlog, done));
      await addPoint(`${SIZES.at(-1)} patients, ${backlog} events waiting`, 0);
    }
    return [...points.flatMap((point) => rowsOf(point, points[0])), ...commands];
  } finally {
    for (const { stop } of functions.values()) await stop();
    await corner.stopWorkers();
    await world.db.terminate();
    await rm(dist, { recursive: true, force: true });
  }
};

interface Service {
  readonly db: Firestore;
  readonly project: string;
  readonly functions: ReadonlyMap<Deployable, Deployed>;
  readonly worker: Image;
  readonly token: string;
}

interface Measured {
  readonly imports: number;
  readonly lists: number;
  /** p99; of few reads that is the slowest. */
  readonly listMs: number;
  readonly runMs: number;
}

interface Relayed {
  readonly events: number;
  readonly perSecond: number;
  readonly workerMiB: number;
  readonly functionsMiB: ReadonlyMap<Deployable, number>;
}

interface Point extends Measured, Relayed {
  readonly name: string;
}

function counted(what: string, total: number, work: (done: (done: number) => void) => Promise<unknown>) {
  return showProgress(process.stderr, { what, total }, (progress) => work((done) => progress.to(done)));
}

function deployed({ functions }: Service, name: Deployable): Deployed {
  const found = functions.get(name);
  if (found === undefined) throw new Error(`${name} was not started`);
  return found;
}

/** Without the worker, so that what waits in the outbox stays there. */
async function measure(service: Service, count: number): Promise<Measured> {
  const importer = deployed(service, 'import-registration');
  const imports = await importAll(service.project, importer, registrations(IMPORTS));
  const headers = { authorization: `Bearer ${service.token}` };
  const list = () => fetch(`${deployed(service, 'patients-api').url}/api/patients?limit=50`, { headers });
  const lists: number[] = [];
  await counted('listing', count, async (done) => {
    for (let n = 1; n <= count; n += 1) {
      lists.push(await msOf(list));
      done(n);
    }
  });
  const runMs = await msOf(() => fetch(`${deployed(service, 'check-health').url}/run`, { method: 'POST' }));
  return { imports, lists: count, listMs: percentile(lists, 0.99), runMs };
}

async function msOf(call: () => Promise<Response>): Promise<number> {
  const started = performance.now();
  await expectStatus(await call(), 200);
  return performance.now() - started;
}

/** Starts a worker, which sends all events and stops. The rate is that between its first and its last event. */
async function relayAll(service: Service): Promise<Relayed> {
  const { worker: image, functions, db } = service;
  await writeFile(image.logFile, '');
  const worker = await start(image);
  try {
    await untilRelayed(db);
    const times = (await readFile(image.logFile, 'utf8'))
      .split('\n')
      .filter((line) => line.includes('"Event published"'))
      .map((line) => Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? ''));
    const seconds = (Math.max(...times) - Math.min(...times)) / 1000;
    const peaks = [...functions].map(async ([name, { pid }]) => [name, await peakMiB(pid)] as const);
    return {
      events: times.length,
      perSecond: times.length / seconds,
      workerMiB: await peakMiB(worker.pid),
      functionsMiB: new Map(await Promise.all(peaks)),
    };
  } finally {
    await worker.stop();
  }
}

function rowsOf(point: Point, first: Point | undefined): Row[] {
  const { name } = point;
  const than = (read: (one: Point) => number) =>
    first === undefined || first === point ? {} : { bare: read(first) };
  const memory = (of: string, read: (one: Point) => number): Row => ({
    name: `${name}: memory of ${of}, at most`,
    value: read(point),
    unit: 'MiB',
    ...than(read),
  });
  return [
    { name: `${name}: imports`, value: point.imports, unit: '/s', ...than((one) => one.imports) },
    {
      name: `${name}: relay of ${point.events} events`,
      value: point.perSecond,
      unit: '/s',
      ...than((one) => one.perSecond),
    },
    {
      name: `${name}: list, ${point.lists < 100 ? 'slowest' : 'p99'} of ${point.lists}`,
      value: point.listMs,
      unit: 'ms',
      ...than((one) => one.listMs),
    },
    { name: `${name}: scheduled run`, value: point.runMs, unit: 'ms', ...than((one) => one.runMs) },
    memory('kafka-worker', (one) => one.workerMiB),
    ...FUNCTIONS.map((part) => memory(part, (one) => one.functionsMiB.get(part) ?? Number.NaN)),
  ];
}

function inWords(point: Point | undefined): string {
  if (point === undefined) return '';
  const { name, imports, perSecond, listMs, runMs, workerMiB } = point;
  return `${name}: ${imports.toFixed(0)} imports/s, ${perSecond.toFixed(0)} relayed/s, list ${listMs.toFixed(0)} ms, run ${runMs.toFixed(0)} ms, worker ${workerMiB.toFixed(0)} MiB`;
}
