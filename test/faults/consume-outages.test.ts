/** Outages of Kafka and Firestore and rebalances of the group under load: every sent event is still applied once. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApacheKafka } from '../../infra/local/engines/kafka.ts';
import { freePort, isListening } from '../../infra/local/ports.ts';
import type { Running } from '../../infra/local/process.ts';
import { kafkaClient } from '../../shared/kafka/kafkajs.ts';
import { namesIn } from '../../shared/kafka/topics.ts';
import { expectApplied, publishLoad, registerPatients, type Load } from '../support/consumption.ts';
import { eventually } from '../support/eventually.ts';
import { testLog } from '../support/kafka.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { workerCorner, type WorkerCorner } from '../support/worker.ts';

const LOCAL = join(import.meta.dirname, '../../.local');
const LOAD: Load = { events: 1_000, patients: 40, chunk: 50, pauseMs: 500 };

let dir: string;
let port: number;
let broker: Running;
let kafkaProxy: TcpProxy;
let firestoreProxy: TcpProxy;

/** The broker advertises the proxy's address, so that every connection goes through the proxy. */
async function startBroker(): Promise<Running> {
  const running = await startApacheKafka(
    { port, dataDir: join(dir, 'kafka'), logFile: join(dir, 'kafka.log') },
    { properties: [`advertised.listeners=PLAINTEXT://127.0.0.1:${kafkaProxy.port}`], format: [] },
  );
  await eventually(async () => expect(await isListening(port)).toBe(true));
  return running;
}

beforeAll(async () => {
  await mkdir(LOCAL, { recursive: true });
  dir = await mkdtemp(join(LOCAL, 'outages-'));
  port = await freePort();
  kafkaProxy = await startTcpProxy({ port });
  firestoreProxy = await startTcpProxy({
    port: Number(process.env['FIRESTORE_EMULATOR_HOST']!.split(':')[1]),
  });
  broker = await startBroker();
});

afterAll(async () => {
  await broker.stop();
  await Promise.all([kafkaProxy.close(), firestoreProxy.close()]);
  await rm(dir, { recursive: true, force: true });
});

/** Runs the load against one worker while `fault` happens, then checks the laws. */
async function survive(fault: (corner: WorkerCorner) => Promise<void>): Promise<void> {
  const corner = await workerCorner({
    KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${kafkaProxy.port}`,
    FIRESTORE_EMULATOR_HOST: `127.0.0.1:${firestoreProxy.port}`,
  });
  await registerPatients(corner, LOAD.patients);
  const worker = await corner.startWorker();
  try {
    const publishing = publishLoad(corner, LOAD);
    await sleep(2_000);
    await fault(corner);
    const sent = await publishing;
    // The same process survived.
    expect(await Promise.race([worker.exited.then(() => 'ended'), sleep(10, 'alive')])).toBe('alive');
    await expectApplied(
      {
        ...corner,
        environment: {
          ...corner.environment,
          FIRESTORE_EMULATOR_HOST: process.env['FIRESTORE_EMULATOR_HOST']!,
        },
      },
      sent,
      200_000,
    );
  } finally {
    await corner.stopWorkers();
    await rm(corner.logFile, { force: true });
  }
}

it('survives connections cut in the middle of a batch', () =>
  survive(async () => {
    for (let cut = 0; cut < 5; cut += 1) {
      kafkaProxy.cut();
      await sleep(Math.random() * 500);
      kafkaProxy.mend();
      await sleep(1_500);
    }
  }));

it('survives a broker that is stopped for 30 s', () =>
  survive(async () => {
    await broker.stop();
    await sleep(30_000);
    broker = await startBroker();
  }));

it('survives an outage of Firestore for 10 s', () =>
  survive(async () => {
    firestoreProxy.cut();
    await sleep(10_000);
    firestoreProxy.mend();
  }));

it('survives a rebalance every second', () =>
  survive(async ({ kafka, communicationEvents }) => {
    const guest = kafkaClient(kafka.config, testLog(), 'guest');
    const deaf = {
      assigned: () => undefined,
      lost: () => undefined,
      fetched: () => false,
      outOfRange: () => undefined,
      polled: () => undefined,
      ended: () => undefined,
    };
    for (let round = 0; round < 8; round += 1) {
      const member = await guest.join(communicationEvents, namesIn(kafka.config).groups.communication, deaf);
      await sleep(500);
      await member.leave();
      await sleep(500);
    }
  }));
