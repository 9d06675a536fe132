/**
 * Counts the calls of each operation at the clients, and compares them with the table in docs/cost.md: a higher count
 * fails. `COST=write npx vitest run test/cost/operations.test.ts` rewrites the table.
 */
import { readFile, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startConsumers } from '../../functions/kafka-worker/consumers.ts';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { namesIn } from '../../shared/kafka/topics.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { connectFirestore } from '../../shared/store/firestore.ts';
import { importObject } from '../../shared/registration/import-object.ts';
import { runScheduled } from '../../functions/check-health/run.ts';
import { startApi } from '../support/api.ts';
import { aRegistration } from '../support/builders.ts';
import { readTable, writeTables, type Figures } from '../support/cost-tables.ts';
import { eventually } from '../support/eventually.ts';
import { importWorld } from '../support/import-world.ts';
import { createTopics, kafkaCorner, testLog } from '../support/kafka.ts';
import { kafkaRequests } from '../support/kafka-meter.ts';
import { startMeters, type Meters } from '../support/meters.ts';
import { anEmailSent, patientsWorld } from '../support/patients-world.ts';
import { aMail, changeDoctor, putMail, relayWorld } from '../support/relay-world.ts';
import { probe, workerCorner } from '../support/worker.ts';

const ROUNDS = 5;
/** Long enough for every timer of an idle worker but one to fire, and for those of seconds to fire many times. */
const IDLE_MS = 30_000;
const HOUR_MS = 3_600_000;
/** Several times what a worker needs for its start after it is ready. */
const STARTED_AFTER_MS = 8_000;

const figures: Record<string, Figures> = {};
const ends: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  vi.unstubAllEnvs();
  for (const end of ends.reverse()) await end();
});

/** Creates a world whose clients count their calls in their own meters; other access to its project is not counted. */
async function metered<T>(make: () => Promise<T>): Promise<{ world: T; meters: Meters }> {
  const meters = await startMeters();
  ends.push(() => meters.close());
  for (const [name, value] of Object.entries(meters.environment)) vi.stubEnv(name, value);
  const world = await make();
  vi.unstubAllEnvs();
  return { world, meters };
}

interface Snapshot {
  readonly usage: Meters['usage'];
  readonly kafka: Readonly<Record<string, number>>;
  readonly lines: number;
  readonly bytes: number;
}

function snapshot({ usage }: Meters, lines: readonly string[]): Snapshot {
  const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
  return { usage: { ...usage }, kafka: { ...kafkaRequests }, lines: lines.length, bytes };
}

function used(before: Snapshot, after: Snapshot, kafka: readonly string[]): Figures {
  const { reads, writes, deletes, queries, requests, storageA, storageB } = after.usage;
  const sent = (counts: Snapshot['kafka']) => kafka.reduce((sum, name) => sum + (counts[name] ?? 0), 0);
  return {
    reads: reads - before.usage.reads,
    writes: writes - before.usage.writes,
    deletes: deletes - before.usage.deletes,
    queries: queries - before.usage.queries,
    requests: requests - before.usage.requests,
    storageA: storageA - before.usage.storageA,
    storageB: storageB - before.usage.storageB,
    kafka: sent(after.kafka) - sent(before.kafka),
    logLines: after.lines - before.lines,
    logBytes: after.bytes - before.bytes,
  };
}

function scaled(all: Figures, factor: number): Figures {
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [name, value * factor]),
  ) as unknown as Figures;
}

/** Waits for background requests to finish. */
async function quiet({ usage }: Meters): Promise<void> {
  for (let seen = -1; seen !== usage.requests;) {
    seen = usage.requests;
    await sleep(80);
  }
}

/** The median of several rounds after a warm-up: on a busy machine a request is sometimes repeated. */
async function perRound(
  name: string,
  { meters, lines, kafka = [] }: { meters: Meters; lines: readonly string[]; kafka?: readonly string[] },
  work: () => Promise<unknown>,
): Promise<void> {
  await work();
  await quiet(meters);
  const rounds: Figures[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = snapshot(meters, lines);
    await work();
    await quiet(meters);
    rounds.push(used(before, snapshot(meters, lines), kafka));
  }
  const middle = (key: keyof Figures) =>
    rounds.map((figures) => figures[key]).toSorted((a, b) => a - b)[ROUNDS >> 1];
  const keys = Object.keys(rounds[0] ?? {}) as (keyof Figures)[];
  figures[name] = Object.fromEntries(keys.map((key) => [key, middle(key)])) as unknown as Figures;
}

beforeAll(async () => {
  const beginIdling = await startedWorker();
  await imports();
  await api();
  const idle = await beginIdling();
  await consumed();
  await relayed();
  await idle();
  if (process.env['COST'] === 'write') await writeTables(figures);
});

async function imports(): Promise<void> {
  const { world, meters } = await metered(() => importWorld());
  const lines = world.logged;
  const files = await Promise.all(Array.from({ length: ROUNDS + 1 }, () => world.drop(aRegistration())));
  await perRound('import', { meters, lines }, () => importObject(world.deps, files.pop()!));
  const health = {
    ...world.deps,
    dropFolder: undefined,
    retention: { unpaid: undefined, closed: undefined },
    limits: {
      IMPORT_STUCK_AFTER_SECONDS: 900,
      IMPORT_STORAGE_QUOTA_BYTES: 1_000_000,
      PATIENT_IMPORT_CHECK_INTERVAL_SECONDS: 60,
    },
  };
  await runScheduled(health);
  await quiet(meters);
  const before = snapshot(meters, lines);
  // A minute later, when the sweep is due again.
  await runScheduled({ ...health, clock: () => systemClock().add({ seconds: 60 }) });
  figures['idle hour of check-health'] = scaled(used(before, snapshot(meters, lines), []), 60);
  figures['idle hour of import-registration'] = scaled(used(before, before, []), 0);
}

async function api(): Promise<void> {
  const { world, meters } = await metered(() => startApi());
  const { lines } = world;
  const measured = (name: string, work: () => Promise<{ status: number }>) =>
    perRound(name, { meters, lines }, async () => expect((await work()).status).toBeLessThan(300));
  let at = 0;
  const aPerson = () => ({
    anrede: 'Frau',
    geschlecht: 'weiblich',
    vorname: 'Lena',
    nachname: `Beispiel${(at += 1)}`,
  });
  await measured('POST a patient', () => world.send('POST', '/api/patients', { body: aPerson() }));
  for (let more = 0; more < 20; more += 1) await world.create(aPerson());
  const { id } = await world.create(aPerson());
  await measured('GET a patient', () => world.send('GET', `/api/patients/${id}`));
  await measured('PATCH a patient', () =>
    world.send('PATCH', `/api/patients/${id}`, { body: { hausarzt: `Dr. ${(at += 1)}` } }),
  );
  const first = await world.send<{ next_page_token: string }>('GET', '/api/patients?limit=10');
  await measured('list: a first page of 10', () => world.send('GET', '/api/patients?limit=10'));
  await measured('list: a further page of 10', () =>
    world.send('GET', `/api/patients?limit=10&page_token=${first.body.next_page_token}`),
  );
  await measured('search: a page of 10', () => world.send('GET', '/api/patients?limit=10&search=beispiel'));
  const before = snapshot(meters, lines);
  await sleep(500);
  figures['idle hour of patients-api'] = scaled(used(before, snapshot(meters, lines), []), HOUR_MS / 500);
}

async function consumed(): Promise<void> {
  const { world, meters } = await metered(async () => patientsWorld());
  const kafka = await kafkaCorner();
  const names = namesIn(kafka.config);
  await createTopics(
    kafka.client,
    Object.values(names.topics).flatMap((topic) => [topic, `${topic}.dlq`]),
  );
  const lines: string[] = [];
  const publisher = createPublisher(kafka.client);
  const consumers = startConsumers({
    client: kafka.client,
    names,
    publisher,
    db: world.db,
    clock: systemClock,
    log: testLog(lines),
  });
  ends.push(() => publisher.close(), ...consumers.map((consumer) => () => consumer.stop()));
  await world.register(1);
  await eventually(() => expect(consumers.every((consumer) => consumer.state().connected)).toBe(true));
  const done = () =>
    lines.filter((line) => line.includes('"outcome":"applied"') && line.includes('event_id')).length;
  const sources = { meters, lines, kafka: ['OffsetCommit'] };
  let day = 3;
  await perRound('consumed event, alone', sources, async () => {
    const before = done();
    // Each a day later, so that each changes the last contact.
    const timestamp = `2026-11-${String((day += 1)).padStart(2, '0')}T10:00:00Z`;
    await publisher.publish([
      { topic: names.topics.communication, key: 'k', value: JSON.stringify(anEmailSent(1, { timestamp })) },
    ]);
    await eventually(() => expect(done()).toBe(before + 1));
  });
}

async function relayed(): Promise<void> {
  const { world, meters } = await metered(relayWorld);
  ends.push(() => world.close());
  const direct = connectFirestore({ GOOGLE_CLOUD_PROJECT: world.project });
  await world.register(1);
  const relay = world.start({ lease: { ttlMs: 600_000, renewMs: 300_000 }, markMs: 300_000 });
  await eventually(() => expect(relay.state().lastRelayAt).toBeDefined());
  // The listeners start when there is no backlog, and read again a second later.
  await sleep(1_500);
  const waiting = async () => (await direct.collection('outbox').count().get()).data().count;
  const emptied = () => eventually(async () => expect(await waiting()).toBe(0));
  const sources = { meters, lines: world.logged, kafka: ['Produce'] };
  let at = 0;
  await perRound('relayed event, alone', sources, async () => {
    await changeDoctor(direct, 1, `Dr. ${(at += 1)}`);
    await emptied();
  });
  await perRound('mail', sources, async () => {
    await putMail(direct, aMail(`mail-${(at += 1)}`));
    await emptied();
  });
  await direct.terminate();
}

/** Starts a worker in its own process. @returns begins to measure its idle time, and returns how to end that */
async function startedWorker(): Promise<() => Promise<() => Promise<void>>> {
  const file = join(await mkdtemp(join(tmpdir(), 'kafka-meter-')), 'requests.json');
  const { world: corner, meters } = await metered(() => workerCorner());
  const worker = await corner.startWorker({
    ...meters.environment,
    NODE_OPTIONS: `--import=${join(import.meta.dirname, '../support/kafka-meter.ts')}`,
    KAFKA_METER_FILE: file,
  });
  ends.push(() => corner.stopWorkers());
  await eventually(async () => expect(await probe(worker, '/readyz')).toBe(200));
  const readyAt = performance.now();
  const now = async (): Promise<Snapshot> => {
    const text = await readFile(corner.logFile, 'utf8');
    const counted = JSON.parse(await readFile(file, 'utf8')) as Record<string, number>;
    return {
      usage: { ...meters.usage },
      kafka: counted,
      lines: text.split('\n').length,
      bytes: Buffer.byteLength(text),
    };
  };
  return async () => {
    // Its start is not idle: the listeners start, and read again a second later.
    await sleep(Math.max(0, readyAt + STARTED_AFTER_MS - performance.now()));
    const before = await now();
    const began = performance.now();
    return async () => {
      await sleep(Math.max(0, began + IDLE_MS - performance.now()));
      const after = await now();
      const idle = used(before, after, Object.keys(after.kafka));
      figures['idle hour of kafka-worker'] = scaled(idle, HOUR_MS / (performance.now() - began));
    };
  };
}

it('costs no more than docs/cost.md says', async () => {
  const table = await readTable();
  expect(Object.keys(figures).sort()).toEqual(Object.keys(table).sort());
  const more = Object.entries(figures).flatMap(([operation, used]) =>
    Object.entries(used)
      .filter(([what, count]) => count > (table[operation]?.[what as keyof Figures] ?? 0))
      .map(([what, count]) => `${operation}: ${count} ${what}`),
  );
  expect(more).toEqual([]);
});
