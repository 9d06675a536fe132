/** How fast a worker consumes after kill -9: events per second from 5 to 10 s after the restart, compared with before. */
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { eventually } from '../support/eventually.ts';
import { anEmailSent } from '../support/patients-world.ts';
import { workerCorner, type WorkerCorner } from '../support/worker.ts';
import { percentile, rate, type Bench, type Row } from './rows.ts';

const PATIENTS = 500;
const EVENTS = 30_000;
const ROUNDS = 3;
/** Long enough for a steady rate. */
const WORKING_MS = 5_000;
const KILLED_EVERY_MS = 10_000;

export const bench: Bench = async (progress) => {
  const corner = await workerCorner();
  const { world } = corner;
  try {
    progress(`registering ${PATIENTS} patients`);
    const ids = Array.from({ length: PATIENTS }, (_, n) => n + 1);
    await rate(ids, 8, (id) => world.register(id));
    progress(`publishing ${EVENTS} events`);
    const publisher = createPublisher(corner.kafka.client);
    for (let n = 0; n < EVENTS; n += 1_000) {
      const events = Array.from({ length: 1_000 }, (_, m) => anEmailSent(1 + ((n + m) % PATIENTS)));
      const topic = corner.communicationEvents;
      await publisher.publish(
        events.map((event) => ({ topic, key: event.eventId, value: JSON.stringify(event) })),
      );
    }
    await publisher.close();
    return await afterKills(corner, progress);
  } finally {
    await corner.stopWorkers();
    await rm(corner.logFile, { force: true });
    await world.db.terminate();
  }
};

async function afterKills(corner: WorkerCorner, progress: (text: string) => void): Promise<Row[]> {
  const before: number[] = [];
  const after: number[] = [];
  const first: number[] = [];
  let worker = await corner.startWorker();
  await eventually(async () => {
    if ((await applied(corner)).length < 500) throw new Error('not yet');
  }, 60_000);
  for (let round = 1; round <= ROUNDS; round += 1) {
    await sleep(WORKING_MS);
    const killed = Date.now();
    await worker.kill();
    worker = await corner.startWorker();
    const restarted = Date.now();
    await sleep(KILLED_EVERY_MS);
    const times = await applied(corner);
    const between = (from: number, to: number) => times.filter((at) => at >= from && at < to).length;
    before.push(between(killed - 3_000, killed) / 3);
    after.push(between(restarted + 5_000, restarted + 10_000) / 5);
    const resumed = times.find((at) => at > restarted) ?? Number.NaN;
    first.push((resumed - restarted) / 1000);
    progress(
      `kill ${round} of ${ROUNDS}: ${before.at(-1)?.toFixed(0)}/s before, ${after.at(-1)?.toFixed(0)}/s after`,
    );
  }
  return [
    {
      name: 'kill -9 and restart → first event applied',
      value: percentile(first, 0.5),
      unit: 's',
      goal: '< 5 s',
    },
    {
      name: 'events applied, from 5 to 10 s after the restart, against before the kill',
      value: percentile(after, 0.5),
      unit: '/s',
      bare: percentile(before, 0.5),
      goal: 'as before',
    },
  ];
}

/** When each event was applied, in milliseconds since the epoch, by the workers' log. */
async function applied(corner: WorkerCorner): Promise<number[]> {
  const lines = (await readFile(corner.logFile, 'utf8').catch(() => '')).split('\n');
  return lines
    .filter((line) => line.includes('A consumed event is done with') && line.includes('"outcome":"applied"'))
    .map((line) => Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? ''));
}
