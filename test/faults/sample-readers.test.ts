/**
 * The sample readers of docs/samples, run as their users do: copied out of the repository, with the published Kafka
 * clients. Their tables equal Firestore, whatever process dies and whatever message repeats.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { watchOver } from '../../infra/local/reaper.ts';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { patientId } from '../../shared/patient/schema.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { erasePatient } from '../../shared/registration/erase-patient.ts';
import { BY_ADMIN } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { testLog } from '../support/kafka.ts';
import { pythonWith } from '../support/python.ts';
import { changeDoctor } from '../support/relay-world.ts';
import { workerCorner } from '../support/worker.ts';

const ROOT = join(import.meta.dirname, '../..');
const SAMPLES = join(ROOT, 'docs/samples');
const PATIENTS = 12;
const ERASED = [11, 12];
const LIVING = Array.from({ length: PATIENTS - ERASED.length }, (_, at) => at + 1);
const WITHIN_MS = 150_000;

const corner = await workerCorner();
const { world, kafka, patientEvents: topic } = corner;
const dir = await mkdtemp(join(ROOT, '.local', 'readers-'));

/** A sample reader with its own group and table. */
class Reader {
  readonly group: string;
  readonly database: string;
  readonly #command: readonly string[];
  readonly #folder: string;
  #process: ChildProcess | undefined;

  constructor(name: string, command: readonly string[]) {
    this.group = `${kafka.prefix}${name}`;
    this.#folder = join(dir, name);
    this.database = join(this.#folder, 'patients.db');
    this.#command = command;
  }

  start(): void {
    const log = openSync(join(this.#folder, 'log'), 'a');
    const [program = '', ...args] = this.#command;
    this.#process = spawn(program, args, {
      cwd: this.#folder,
      env: {
        ...process.env,
        KAFKA_BROKERS: process.env['KAFKA_BOOTSTRAP_SERVERS'],
        KAFKA_TOPIC: topic,
        KAFKA_GROUP: this.group,
        DATABASE: this.database,
      },
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    if (this.#process.pid !== undefined) this.#process.once('exit', watchOver(this.#process.pid));
  }

  /** @returns its exit code; null when the signal ended it */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#process;
    if (child === undefined) return null;
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    child.kill(signal);
    await ended;
    return child.exitCode;
  }

  log(): Promise<string> {
    return readFile(join(this.#folder, 'log'), 'utf8');
  }

  rows<T>(query: string): T[] {
    const db = new DatabaseSync(this.database, { readOnly: true, timeout: 5_000 });
    try {
      return db.prepare(query).all() as T[];
    } finally {
      db.close();
    }
  }

  /** By patient id. */
  patients(): Map<number, unknown> {
    const rows = this.rows<{ id: number; patient: string }>('SELECT id, patient FROM patients ORDER BY id');
    return new Map(rows.map(({ id, patient }) => [id, JSON.parse(patient) as unknown]));
  }
}

const readers: Reader[] = [];

/** Installs the published kafkajs, because this repository's own is patched. */
async function typescriptReader(): Promise<Reader> {
  const folder = join(dir, 'typescript');
  await cp(join(SAMPLES, 'typescript'), folder, { recursive: true });
  await mkdir(join(folder, 'node_modules'));
  await symlink(join(ROOT, 'node_modules/kafkajs-published'), join(folder, 'node_modules/kafkajs'));
  return new Reader('typescript', [process.execPath, 'reader.ts']);
}

async function pythonReader(): Promise<Reader | undefined> {
  const requirements = await readFile(join(SAMPLES, 'python/requirements.txt'), 'utf8');
  const python = pythonWith(requirements.trim().split('\n'));
  if ('missing' in python) {
    console.warn(`\n  SKIPPED: the sample reader in Python, because ${python.missing}.\n`);
    return undefined;
  }
  await cp(join(SAMPLES, 'python'), join(dir, 'python'), { recursive: true });
  return new Reader('python', [join(python.bin, 'python'), 'reader.py']);
}

beforeAll(async () => {
  for (const reader of [await typescriptReader(), await pythonReader()])
    if (reader !== undefined) readers.push(reader);
});

afterAll(async () => {
  await Promise.all(readers.map((reader) => reader.end('SIGKILL')));
  await corner.stopWorkers();
  await rm(corner.logFile, { force: true });
  await rm(dir, { recursive: true, force: true });
});

const startAll = () => readers.forEach((reader) => reader.start());
const endAll = (signal: NodeJS.Signals) => Promise.all(readers.map((reader) => reader.end(signal)));

async function erase(id: number): Promise<void> {
  const bucket = connectBucket({
    GOOGLE_CLOUD_PROJECT: world.project,
    GCS_IMPORT_BUCKET: `${world.project}-import`,
    STORAGE_EMULATOR_HOST: process.env['STORAGE_EMULATOR_HOST'],
  });
  await erasePatient(
    { db: world.db, bucket, clock: systemClock, log: testLog() },
    patientId.parse(id),
    BY_ADMIN,
  );
}

async function changeUntil(signal: AbortSignal): Promise<void> {
  for (let round = 0; !signal.aborted; round += 1) {
    for (const id of LIVING) await changeDoctor(world.db, id, `Dr. ${round}`);
    await sleep(200);
  }
}

/** Asserts that every table equals Firestore. */
async function expectTables(): Promise<void> {
  const stored = new Map<number, unknown>();
  for (const id of LIVING) stored.set(id, await world.patient(id));
  for (const reader of readers)
    await eventually(() => expect(reader.patients()).toEqual(stored), WITHIN_MS).catch(explained(reader));
}

/** Asserts that every offset up to the end is committed. */
async function expectAllCommitted(): Promise<void> {
  const admin = await kafka.client.admin();
  try {
    for (const { group } of readers) {
      await eventually(async () => {
        const committed = await admin.committed(group, topic);
        for (const [partition, { high }] of await admin.ranges(topic))
          if (high > 0n) expect([partition, committed.get(partition)?.offset]).toEqual([partition, high]);
      }, WITHIN_MS);
    }
  } finally {
    await admin.close();
  }
}

/** Adds the end of the reader's log to a failed expectation. */
function explained(reader: Reader) {
  return async (error: Error) => {
    error.message += `\n${(await reader.log()).slice(-3_000)}`;
    throw error;
  };
}

/** Publishes values that this service would not publish, or not again. */
async function put(values: readonly { key: string; value: string | null }[]): Promise<void> {
  const publisher = createPublisher(kafka.client);
  const messages = values.map(({ key, value }) => ({
    topic,
    key: Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
  }));
  await publisher.publish(messages);
  await publisher.close();
}

describe('the sample readers', () => {
  it('follow Firestore while the worker and they themselves are killed', async () => {
    for (let id = 1; id <= PATIENTS; id += 1) await world.register(id, { nachname: `Auskunft${id}` });
    const worker = await corner.startWorker();
    startAll();
    for (const reader of readers)
      await eventually(() => expect(reader.patients().size).toBe(PATIENTS), WITHIN_MS).catch(
        explained(reader),
      );
    for (const id of ERASED) await erase(id);
    const stop = new AbortController();
    const changing = changeUntil(stop.signal);
    for (const reader of readers)
      await eventually(() => expect([...reader.patients().keys()]).toEqual(LIVING), WITHIN_MS);

    await Promise.all([worker.kill(), endAll('SIGKILL')]);
    await corner.startWorker();
    startAll();
    await sleep(1_000);
    stop.abort();
    await changing;
    await expectTables();
  });

  it('shut down cleanly on request, and continue where they stopped', async () => {
    for (const reader of readers) expect(await reader.end('SIGTERM'), await reader.log()).toBe(0);
    await changeDoctor(world.db, 3, 'Dr. Pause');
    startAll();
    await expectTables();
    await expectAllCommitted();
  });

  it('commit an offset after the table is written', async () => {
    const admin = await kafka.client.admin();
    const locks = readers.map(({ database }) => {
      const db = new DatabaseSync(database);
      db.exec('BEGIN EXCLUSIVE');
      return db;
    });
    try {
      const end = async () =>
        [...(await admin.ranges(topic))].map(([partition, { high }]) => [partition, high]);
      const before = await end();
      await changeDoctor(world.db, 1, 'Dr. Schloss');
      await eventually(async () => expect(await end()).not.toEqual(before));
      await sleep(1_500);
      for (const { group } of readers) {
        const committed = await admin.committed(group, topic);
        const offsets = new Map([...committed].map(([partition, { offset }]) => [partition, offset]));
        for (const [partition, high] of before as [number, bigint][])
          if (high > 0n) expect(offsets.get(partition)).toBe(high);
      }
    } finally {
      for (const db of locks) db.close();
      await admin.close();
    }
    await expectTables();
    await expectAllCommitted();
  });

  it('ignore repeats, late events and unreadable messages', async () => {
    const published = (await kafka.read(topic)).map(({ key, value }) => ({
      key: String(key),
      value: String(value),
    }));
    const first = published.find(({ key }) => key === '1');
    const event = (changes: object) =>
      JSON.stringify({ ...(JSON.parse(first!.value) as object), sequence: 100_000, ...changes });
    const patientData = (changes: object) => {
      const { payload } = JSON.parse(first!.value) as { payload: { patient_data: object } };
      return { ...payload, patient_data: { ...payload.patient_data, ...changes } };
    };
    const deep = `{"id":1,"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    const refused = [
      '{',
      '[]',
      '{"eventType":"patient.created"}',
      event({ version: '2.0' }),
      event({ version: '1.0\n' }),
      event({ sequence: 0 }),
      event({ sequence: true }),
      event({ sequence: 1.5 }),
      event({ payload: null }),
      event({ payload: { patient_id: 1 } }),
      event({ payload: patientData({ id: 2 }) }),
      `{"eventType":"patient.updated","version":"1.0","sequence":100000,"payload":{"patient_id":1,"patient_data":${deep}}}`,
    ];
    const ignored = [
      null,
      event({ eventType: 'patient.newtype', payload: {} }),
      event({ eventType: 'practice.opened' }).replaceAll('patient_id', 'practice_id'),
    ];
    const late = ERASED.flatMap((id) => published.filter(({ key }) => key === String(id)));
    await put([
      first!,
      // Without the last event, which would restore the right state even in a reader that applies repeats.
      ...published.filter(({ key }) => key === '2').slice(0, -1),
      ...late,
      ...late
        .filter(({ value }) => !value.includes('patient.deleted'))
        .map(({ key, value }) => ({ key, value: value.replace(/"sequence":\d+/, '"sequence":500') })),
      ...[...refused, ...ignored].map((value) => ({ key: '1', value })),
    ]);
    await changeDoctor(world.db, 1, 'Dr. Danach');
    await expectTables();
    await expectAllCommitted();
    for (const reader of readers) {
      const places = reader.rows<{ reason: string }>(
        'SELECT * FROM refused_messages ORDER BY message_offset',
      );
      expect(places.length, JSON.stringify(places)).toBe(refused.length);
    }
  });

  it('hold the same after reading everything again', async () => {
    await endAll('SIGTERM');
    const admin = await kafka.client.admin();
    for (const { group } of readers) await admin.deleteGroup(group);
    await admin.close();
    startAll();
    await expectAllCommitted();
    await expectTables();
  });

  it('keep only the numbers of erased patients', async () => {
    await endAll('SIGTERM');
    for (const reader of readers) {
      const erased = reader.rows<{ id: number }>(
        'SELECT patient_id AS id FROM last_events WHERE erased = 1 ORDER BY patient_id',
      );
      expect(erased.map(({ id }) => id)).toEqual(ERASED);
      const bytes = await readFile(reader.database, 'latin1');
      expect(bytes).toContain('Auskunft10');
      expect(bytes).not.toContain('Auskunft11');
      expect(await reader.log()).not.toContain('Auskunft');
    }
  });
});
