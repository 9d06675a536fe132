/**
 * Consumed events per second compared with a bare loop of the same Firestore transaction, and with an empty handler; the
 * latency of one event; a restart with a backlog; an idle worker.
 */
import { createWriteStream } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Firestore } from '@google-cloud/firestore';
import { communicationEffect } from '../../functions/kafka-worker/effects/communication.ts';
import { handlerOf } from '../../functions/kafka-worker/effects/effect.ts';
import { runConsumer } from '../../shared/kafka/consumer.ts';
import type { IncomingMessage } from '../../shared/kafka/ports.ts';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { createLog } from '../../shared/platform/log.ts';
import { SharedLock } from '../../shared/platform/shared-lock.ts';
import { inFlightMarkers } from '../../shared/store/in-flight.ts';
import { unreadableBatchNotes } from '../../shared/store/unreadable-batches.ts';
import { eventually } from '../support/eventually.ts';
import { anEmailSent, patientsWorld } from '../support/patients-world.ts';
import { workerCorner, type WorkerCorner } from '../support/worker.ts';
import { percentile, rate, type Bench, type Row } from './rows.ts';

const ROUNDS = 3;
const EVENTS = 2_000;
/** With an empty handler, a small number of events is consumed too fast to be measured. */
const EMPTY_EVENTS = 50_000;
/** Events of one patient in a row, such as the mails of one day. */
const BURST = 4;
/** As many as the consumer puts into one transaction. */
const SHARED = 10;
const SINGLE = 200;
const BACKLOG = 10_000;
const PATIENTS = 500;
const PARTITIONS = 6;
const IN_EACH_PARTITION = 8;
const IDLE_SECONDS = 20;

const log = createLog({ service: 'bench', project: 'bench', destination: createWriteStream('/dev/null') });

export const bench: Bench = async (progress) => {
  const corner = await workerCorner();
  const { world } = corner;
  try {
    progress(`registering ${PATIENTS} patients`);
    const ids = Array.from({ length: PATIENTS }, (_, n) => n + 1);
    // The last contact is later than any event, so a consumed event costs one read and one entry on both sides.
    await rate(ids, 8, (id) => world.register(id));
    await rate(ids, 8, (id) =>
      world.db.collection('patients').doc(String(id)).update({ letzter_kontakt: '2026-12-31' }),
    );
    await world.db.recursiveDelete(world.db.collection('outbox'));
    return [
      ...(await throughput(corner, progress, 1)),
      ...(await throughput(corner, progress, BURST)),
      await emptyHandler(corner, progress),
      ...(await latency(corner, progress)),
      ...(await wholeWorker(corner, progress)),
    ];
  } finally {
    await corner.stopWorkers();
    await rm(corner.logFile, { force: true });
    await world.db.terminate();
  }
};

/** @param burst how many events in a row concern the same patient */
function emails(count: number, burst = 1): { key: string; value: string }[] {
  return Array.from({ length: count }, (_, n) => ({
    key: `mail-${n}`,
    value: JSON.stringify(anEmailSent(1 + (Math.floor(n / burst) % PATIENTS))),
  }));
}

async function publish(corner: WorkerCorner, topic: string, messages: { key: string; value: string }[]) {
  const publisher = createPublisher(corner.kafka.client);
  await publisher.publish(messages.map((message) => ({ topic, ...message })));
  await publisher.close();
}

type Handle = (message: IncomingMessage) => Promise<void>;

/** Starts the consumer loop of the worker. @returns a function that ends it */
function consuming(corner: WorkerCorner, topic: string, handle: Handle): () => Promise<void> {
  const publisher = createPublisher(corner.kafka.client);
  const group = `${topic}-group`;
  const consumer = runConsumer({
    client: corner.kafka.client,
    topic,
    group,
    handle,
    publisher,
    inFlight: inFlightMarkers(corner.world.db)(group),
    lock: new SharedLock(),
    unreadable: unreadableBatchNotes(corner.world.db, systemClock)(group),
    log,
    concurrency: IN_EACH_PARTITION,
  });
  return async () => {
    await consumer.stop();
    await publisher.close();
  };
}

/** Records when the first and the last of `count` messages are done. */
function stopwatch(count: number) {
  let done = 0;
  let first = 0;
  const finished = Promise.withResolvers<number>();
  return {
    lap: (): void => {
      first ||= performance.now();
      done += 1;
      if (done === count) finished.resolve(performance.now());
    },
    perSecond: async (): Promise<number> => ((count - 1) * 1000) / ((await finished.promise) - first),
  };
}

/** Consumes the waiting messages of the topic. @returns messages per second */
async function consume(corner: WorkerCorner, topic: string, count: number, handle: Handle): Promise<number> {
  const { lap, perSecond } = stopwatch(count);
  const stop = consuming(corner, topic, async (message) => {
    await handle(message);
    lap();
  });
  const measured = await perSecond();
  await stop();
  return measured;
}

/**
 * The rate of the consumer and of two loops that write the least that keeps an event: one with a transaction for each, and
 * one that puts as many into a transaction as the consumer may. The consumer writes a document more, by which it finds a
 * contact that comes again.
 * @param burst how many events in a row concern the same patient; in the loops they are always of different ones
 */
async function throughput(
  corner: WorkerCorner,
  progress: (text: string) => void,
  burst: number,
): Promise<Row[]> {
  const ours: number[] = [];
  const bare: number[] = [];
  const sharing: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    progress(`round ${round} of ${ROUNDS}: ${EVENTS} events each way, the first to warm up`);
    const topic = await corner.kafka.topic(`throughput-${burst}-${round}`, PARTITIONS);
    await publish(corner, topic, emails(EVENTS, burst));
    const rates = [
      await withCopy(corner, (db) => {
        const handle = handlerOf(communicationEffect(db, systemClock), systemClock, log);
        return consume(corner, topic, EVENTS, handle);
      }),
      await withCopy(corner, (db) => loop(db, 1)),
      await withCopy(corner, (db) => loop(db, SHARED)),
    ] as const;
    if (round === 0) continue;
    ours.push(rates[0]);
    bare.push(rates[1]);
    sharing.push(rates[2]);
  }
  const name = burst === 1 ? 'events consumed' : `events consumed, ${burst} in a row for one patient`;
  const value = percentile(ours, 0.5);
  return [
    {
      name: `${name}, against a transaction for each`,
      value,
      unit: '/s',
      bare: percentile(bare, 0.5),
      goal: '≥ 0.95 of bare',
    },
    {
      name: `${name}, against one for each ${SHARED} events`,
      value,
      unit: '/s',
      bare: percentile(sharing, 0.5),
    },
  ];
}

/** Runs `work` on a new project with the patients of the corner, and nothing else. */
async function withCopy(corner: WorkerCorner, work: (db: Firestore) => Promise<number>): Promise<number> {
  const { db } = patientsWorld();
  const { docs } = await corner.world.db.collection('patients').get();
  const batch = db.batch();
  for (const doc of docs) batch.set(db.collection('patients').doc(doc.id), doc.data());
  await batch.commit();
  const perSecond = await work(db);
  await db.terminate();
  return perSecond;
}

/** Stores events of different patients. @param together events in one transaction @returns events per second */
async function loop(db: Firestore, together: number): Promise<number> {
  const events = emails(EVENTS);
  const groups = Array.from({ length: EVENTS / together }, (_, n) =>
    events.slice(n * together, (n + 1) * together),
  );
  const atOnce = Math.ceil((PARTITIONS * IN_EACH_PARTITION) / together);
  const perSecond = await rate(groups, atOnce, (group) =>
    db.runTransaction(async (transaction) => {
      const entries = group.map(({ value }) => {
        const { eventId, payload, ...event } = JSON.parse(value) as {
          eventId: string;
          payload: { patient_id: number; email_id: string };
        };
        const entry = { ...event, event_id: eventId, reference_id: payload.email_id };
        const patient = db.collection('patients').doc(String(payload.patient_id));
        return { patient, entry: { ...entry, data: JSON.stringify(payload) } };
      });
      await transaction.getAll(...entries.map(({ patient }) => patient));
      for (const { patient, entry } of entries)
        transaction.create(patient.collection('communication').doc(entry.event_id), entry);
    }),
  );
  return perSecond * together;
}

async function emptyHandler(corner: WorkerCorner, progress: (text: string) => void): Promise<Row> {
  const ours: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    progress(`round ${round} of ${ROUNDS}: ${EMPTY_EVENTS} events to an empty handler`);
    const topic = await corner.kafka.topic(`empty-${round}`, PARTITIONS);
    await publish(corner, topic, emails(EMPTY_EVENTS));
    const consumed = await consume(corner, topic, EMPTY_EVENTS, async () => {});
    if (round === 0) continue;
    ours.push(consumed);
  }
  return { name: 'events to an empty handler', value: percentile(ours, 0.5), unit: '/s' };
}

/** One event at a time: from its publication to its effect, stored. */
async function latency(corner: WorkerCorner, progress: (text: string) => void): Promise<Row[]> {
  progress(`${SINGLE} events one after the other`);
  const topic = await corner.kafka.topic('latency', PARTITIONS);
  const handle = handlerOf(communicationEffect(corner.world.db, systemClock), systemClock, log);
  const publisher = createPublisher(corner.kafka.client);
  let stored = () => {};
  const stop = consuming(corner, topic, async (message) => {
    await handle(message);
    stored();
  });
  const latencies: number[] = [];
  // The first events connect, join the group and raise each partition's marker.
  for (let n = -50; n < SINGLE; n += 1) {
    const arrived = new Promise<void>((resolve) => (stored = resolve));
    const [message] = emails(1);
    const started = performance.now();
    await publisher.publish([{ topic, key: String(n), value: message?.value ?? '' }]);
    await arrived;
    if (n >= 0) latencies.push(performance.now() - started);
  }
  await stop();
  await publisher.close();
  return [
    { name: 'event published → stored, p50', value: percentile(latencies, 0.5), unit: 'ms' },
    { name: 'event published → stored, p99', value: percentile(latencies, 0.99), unit: 'ms' },
  ];
}

/** The worker as a process: its speed on a backlog, and its cost when idle. */
async function wholeWorker(corner: WorkerCorner, progress: (text: string) => void): Promise<Row[]> {
  const topic = corner.communicationEvents;
  const before = await corner.world.countHistory();
  const first = await corner.startWorker();
  await publish(corner, topic, emails(100));
  await eventually(async () => reached(await corner.world.countHistory(), before + 100), 60_000);
  await first.stop();
  progress(`${BACKLOG} events wait for a worker that starts`);
  await publish(corner, topic, emails(BACKLOG));
  const started = performance.now();
  const worker = await corner.startWorker();
  await eventually(async () => reached(await corner.world.countHistory(), before + 100 + BACKLOG), 300_000);
  const drained = performance.now() - started;

  progress(`nothing to do for ${IDLE_SECONDS} s`);
  await sleep(5_000);
  const busyBefore = await cpuSeconds(worker.pid);
  await sleep(IDLE_SECONDS * 1000);
  const share = ((await cpuSeconds(worker.pid)) - busyBefore) / IDLE_SECONDS;
  return [
    { name: `start → ${BACKLOG} waiting events stored`, value: drained / 1000, unit: 's' },
    { name: 'CPU of an idle worker, of one core', value: share * 100, unit: '%', goal: '< 1 %' },
  ];
}

function reached(count: number, wanted: number): void {
  if (count < wanted) throw new Error(`${count} of ${wanted}`);
}

/** User and system time of a process so far, from /proc, which counts hundredths of a second. */
async function cpuSeconds(pid: number | undefined): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
