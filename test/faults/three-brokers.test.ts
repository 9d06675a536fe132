/**
 * Kills leaders of a cluster of three brokers, and freezes them until another leads, while events are relayed and
 * consumed. Nothing is lost or out of order. FAULTS_SECONDS sets how long the faults last, 60 by default.
 */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectApplied, publishLoad, registerPatients, type Load } from '../support/consumption.ts';
import { eventually } from '../support/eventually.ts';
import { assertNoGaps, assertRepeatsAreExact } from '../support/history.ts';
import { withoutApacheKafka } from '../support/kafka-tool.ts';
import { startKafkaCluster, type KafkaCluster, type NodeId } from '../support/kafka-cluster.ts';
import { changeDoctor, entryOf } from '../support/relay-world.ts';
import { workerCorner, type WorkerCorner } from '../support/worker.ts';

const SECONDS = Number(process.env['FAULTS_SECONDS'] ?? 60);
/** Consumed events go to the first patients and changes to the others: on the emulator, writers of one patient wait long. */
const CONSUMED = 60;
const PATIENTS = 90;
/** About as long as the faults. */
const LOAD: Load = { events: SECONDS * 12, patients: CONSUMED, chunk: 6, pauseMs: 500 };

const noBrokers = await withoutApacheKafka('a cluster of three brokers');
let cluster: KafkaCluster;
let corner: WorkerCorner;

beforeAll(async () => {
  cluster = await startKafkaCluster();
  corner = await workerCorner({ KAFKA_BOOTSTRAP_SERVERS: cluster.addresses });
});
afterAll(async () => {
  await corner?.stopWorkers();
  await cluster?.stop();
  if (corner !== undefined) await rm(corner.logFile, { force: true });
});

/** @returns how many changes were made */
async function changeUntil(signal: AbortSignal): Promise<number> {
  let changes = 0;
  while (!signal.aborted) {
    const id = CONSUMED + 1 + (changes % (PATIENTS - CONSUMED));
    await changeDoctor(corner.world.db, id, `Dr. Nummer ${changes}`);
    changes += 1;
    await sleep(20);
  }
  return changes;
}

async function expectRelayed(): Promise<void> {
  const waiting = async () => (await corner.world.db.collection('outbox').count().get()).data().count;
  await eventually(async () => expect(await waiting()).toBe(0), 240_000);
  const history = (await corner.kafka.read(corner.patientEvents)).map(entryOf);
  assertNoGaps(history);
  assertRepeatsAreExact(history);
  const last = new Map<string, number>();
  for (const { key, value } of history) {
    last.set(key, Math.max(last.get(key) ?? 0, (JSON.parse(value) as { sequence: number }).sequence));
  }
  for (let id = 1; id <= PATIENTS; id += 1)
    expect(last.get(String(id))).toBe(await corner.world.sequence(id));
}

/** The broker that leads most partitions of the relayed and consumed topics; it is taken down as leader of both. */
async function mainLeader(): Promise<NodeId> {
  const [relayed, consumed] = await Promise.all([
    cluster.leaders(corner.patientEvents),
    cluster.leaders(corner.communicationEvents),
  ]);
  const led = (node: NodeId) => Math.min(relayed.get(node)!, consumed.get(node)!);
  const [first] = [...relayed.keys()].sort((a, b) => led(b) - led(a));
  expect(led(first!)).toBeGreaterThan(0);
  return first!;
}

const faults = {
  killed: async (leader: NodeId) => {
    await cluster.kill(leader);
    await sleep(1_000 + Math.random() * 4_000);
    await cluster.restart(leader);
  },
  /** Freezes the broker until another leads. */
  frozen: async (leader: NodeId) => {
    cluster.freeze(leader);
    try {
      await eventually(
        async () => expect((await cluster.leaders(corner.patientEvents)).get(leader)).toBe(0),
        120_000,
      );
      await sleep(Math.random() * 3_000);
    } finally {
      cluster.thaw(leader);
    }
  },
} as const;

it.skipIf(noBrokers)(
  'loses and reorders nothing when leaders are killed or frozen',
  { timeout: 900_000 + SECONDS * 2_000 },
  async () => {
    await registerPatients(corner, PATIENTS);
    await corner.startWorker();
    await corner.startWorker();
    const topics = [corner.patientEvents, corner.communicationEvents, '__consumer_offsets'];
    const stop = new AbortController();
    const changing = changeUntil(stop.signal);
    const publishing = publishLoad(corner, LOAD);

    const taken = { killed: 0, frozen: 0 };
    const end = performance.now() + SECONDS * 1_000;
    for (let round = 0; round < 2 || performance.now() < end; round += 1) {
      const how = round % 2 === 0 ? 'killed' : 'frozen';
      await faults[how](await mainLeader());
      taken[how] += 1;
      // At most one broker is down at a time, so that two replicas always hold every acknowledged message.
      await cluster.untilWhole(topics);
    }

    const sent = await publishing;
    stop.abort();
    const changes = await changing;
    console.log(
      `leaders: ${taken.killed} killed, ${taken.frozen} frozen; ${changes} changes, ${LOAD.events} consumed events`,
    );
    await expectRelayed();
    await expectApplied(corner, sent, 300_000);
  },
);
