import { Firestore } from '@google-cloud/firestore';
import { Storage } from '@google-cloud/storage';
import { Kafka, logLevel } from 'kafkajs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { dockerStandIn, type DockerStandIn } from '../../../test/support/docker-stand-in.ts';
import { freePort, isListening } from '../ports.ts';
import { removeLeftovers } from './containers.ts';
import type { Engine, EngineOptions } from './engine.ts';
import { startFirestore } from './firestore.ts';
import { startKafka } from './kafka.ts';
import { findJava, firestoreJar } from './machine.ts';
import { startStorage } from './storage.ts';

interface Contract {
  readonly name: string;
  readonly start: (options: EngineOptions) => Promise<Engine>;
  readonly write: (address: string) => Promise<void>;
  readonly read: (address: string) => Promise<string | undefined>;
  /** The engine is a container, started by a stand-in for Docker. */
  readonly docker?: Parameters<typeof dockerStandIn>[0];
  /** False for Firestore's emulator: it lives in memory and saves only on an orderly stop. */
  readonly survivesKill: boolean;
}

const PROJECT = 'demo-engine-contract';
const firestore = (host: string) =>
  new Firestore({ projectId: PROJECT, host, ssl: false, customHeaders: { Authorization: 'Bearer owner' } });
const bucket = (url: string) => {
  // The client reads half of its address from the environment only, when it is constructed.
  vi.stubEnv('STORAGE_EMULATOR_HOST', url);
  const storage = new Storage({ projectId: PROJECT });
  vi.unstubAllEnvs();
  return storage.bucket('contract');
};
const kafka = (broker: string) => new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });

const natives: Contract[] = [
  {
    name: 'Firestore',
    survivesKill: false,
    start: (options) => startFirestore({ ...options, project: PROJECT }),
    write: async (host) => {
      const db = firestore(host);
      await db.doc('contract/one').set({ text: 'kept' });
      await db.terminate();
    },
    read: async (host) => {
      const db = firestore(host);
      const found = await db.doc('contract/one').get();
      await db.terminate();
      return found.get('text') as string | undefined;
    },
  },
  {
    name: 'Storage',
    survivesKill: true,
    start: startStorage,
    write: (url) => bucket(url).file('folder//one ö').save('kept', { resumable: false }),
    read: async (url) => (await bucket(url).file('folder//one ö').download()).toString(),
  },
  {
    name: 'Kafka',
    survivesKill: true,
    start: startKafka,
    write: async (broker) => {
      const admin = kafka(broker).admin();
      await admin.connect();
      await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 1 }], waitForLeaders: true });
      await admin.disconnect();
    },
    read: async (broker) => {
      const admin = kafka(broker).admin();
      await admin.connect();
      const topics = await admin.listTopics();
      await admin.disconnect();
      return topics.find((topic) => topic === 'kept');
    },
  },
];

const [firestoreContract, , kafkaContract] = natives as [Contract, Contract, Contract];
const contracts: Contract[] = [
  ...natives,
  { ...firestoreContract, name: 'Firestore as a container', docker: { java: 'old' } },
  { ...kafkaContract, name: 'Kafka as a container', docker: {} },
];
/** The stand-in starts the engines with this machine's Java. */
const cannotStandIn = async ({ docker }: Contract) =>
  docker !== undefined && ((await findJava()) !== 'ok' || (await firestoreJar()) === undefined);
const here: Contract[] = [];
for (const contract of contracts) {
  if (await cannotStandIn(contract)) console.warn(`SKIPPED: ${contract.name}, without Java to stand in.`);
  else here.push(contract);
}

describe.each(here)('$name', ({ start, write, read, survivesKill, docker }) => {
  let dir: string;
  let options: EngineOptions;
  let engine: Engine;
  let standIn: DockerStandIn | undefined;

  beforeAll(async () => {
    if (docker !== undefined) standIn = await dockerStandIn(docker);
    dir = await mkdtemp(join(tmpdir(), 'engine-'));
    options = {
      port: await freePort(),
      dataDir: join(dir, 'data'),
      logFile: join(dir, 'engine.log'),
      useGiven: false,
    };
    engine = await start(options);
    await write(engine.address);
  });
  afterAll(async () => {
    await engine.stop();
    await rm(dir, { recursive: true, force: true });
    await removeLeftovers();
    expect(standIn?.containers ?? new Map()).toEqual(new Map());
    expect(standIn?.volumes ?? new Map()).toEqual(new Map());
    await standIn?.[Symbol.asyncDispose]();
  });

  it('keeps its data over a stop and a start on the same port', async () => {
    await engine.stop();
    expect(await isListening(options.port)).toBe(false);
    engine = await start(options);
    expect(await read(engine.address)).toBe('kept');
  });

  // The Firestore emulator keeps its documents in memory: docs/emulators.md#firestore-emulator
  if (!survivesKill) return;

  it('keeps its data over a kill -9', async () => {
    await engine.kill();
    engine = await start(options);
    expect(await read(engine.address)).toBe('kept');
  });
});

it('uses the engine that the environment names, and never stops it', async () => {
  const given = process.env['FIRESTORE_EMULATOR_HOST'];
  const engine = await startFirestore({ port: 1, dataDir: '/nowhere', logFile: '/nowhere' });
  expect(engine.address).toBe(given);
  await engine.stop();
  expect(await isListening(Number(given?.split(':')[1]))).toBe(true);
});
