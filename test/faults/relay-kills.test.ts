/** Workers die at random moments while patients change; the topic still holds every event of each patient in order. */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { assertNoGaps, assertRepeatsAreExact } from '../support/history.ts';
import { aMail, changeDoctor, entryOf, putMail, startCommunication } from '../support/relay-world.ts';
import { workerCorner, type Worker } from '../support/worker.ts';

const KILLS = 6;
const PATIENTS = 40;
const DRAINED_WITHIN_MS = 200_000;

const communication = await startCommunication();
const corner = await workerCorner({ COMMUNICATION_SERVICE_URL: communication.url });
const { world } = corner;
const workers: Worker[] = [];
/** Keys of all mails so far. */
const mails: string[] = [];

afterAll(async () => {
  await corner.stopWorkers();
  await communication.close();
  await rm(corner.logFile, { force: true });
});

/** Changes patients, and sends a mail now and then, until it is stopped. */
async function changeUntil(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const key = `mail-${mails.length}`;
    for (let id = 1; id <= PATIENTS; id += 1) await changeDoctor(world.db, id, key);
    await putMail(world.db, aMail(key));
    mails.push(key);
  }
}

async function expectComplete(): Promise<void> {
  const waiting = async () => (await world.db.collection('outbox').count().get()).data().count;
  await eventually(async () => expect(await waiting()).toBe(0), DRAINED_WITHIN_MS);
  const history = (await corner.kafka.read(corner.patientEvents)).map(entryOf);
  assertNoGaps(history);
  assertRepeatsAreExact(history);
  const last = new Map<string, number>();
  for (const { key, value } of history) {
    last.set(key, Math.max(last.get(key) ?? 0, (JSON.parse(value) as { sequence: number }).sequence));
  }
  for (let id = 1; id <= PATIENTS; id += 1) expect(last.get(String(id))).toBe(await world.sequence(id));
  expect(communication.keys().sort()).toEqual([...mails].sort());
}

it('loses, reorders and alters nothing when workers are killed at random moments', async () => {
  for (let id = 1; id <= PATIENTS; id += 1) await world.register(id);
  workers.push(await corner.startWorker(), await corner.startWorker());
  const stop = new AbortController();
  const changing = changeUntil(stop.signal);

  for (let kill = 0; kill < KILLS; kill += 1) {
    await sleep(1_000 + Math.random() * 6_000);
    await workers[kill % 2]!.kill();
    workers[kill % 2] = await corner.startWorker();
  }

  stop.abort();
  await changing;
  await expectComplete();
});

it('lets another worker take over from one that is frozen for longer than its lease', async () => {
  const epoch = async () => (await world.db.doc('leases/relay').get()).get('epoch') as number;
  const before = await epoch();
  const stop = new AbortController();
  const changing = changeUntil(stop.signal);

  // One of the two leads. Freeze it for longer than its lease, so that the other takes over.
  for (const { pid } of workers) {
    process.kill(pid!, 'SIGSTOP');
    await sleep(20_000);
    process.kill(pid!, 'SIGCONT');
    await sleep(1_000);
  }
  await eventually(async () => expect(await epoch()).toBeGreaterThan(before));

  stop.abort();
  await changing;
  await expectComplete();
});
