/**
 * How fast a worker consumes after kill -9, from 5 to 10 s after the restart; and how fast with a kill every 10 s, where the
 * lag grows only if more events arrive than are applied on average.
 *
 * The emulator has no indexes: for each event it looks through all entries that were stored before, so it becomes slower
 * from event to event. The rate after a restart is therefore compared with the mean of the rates before and after it.
 */
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { eventually } from '../support/eventually.ts';
import { anEmailSent } from '../support/patients-world.ts';
import { workerCorner, type WorkerCorner } from '../support/worker.ts';
import { percentile, rate, type Bench, type Row } from './rows.ts';

const PATIENTS = 500;
const EVENTS = 60_000;
const ROUNDS = 3;
const KILLS_IN_A_ROW = 5;
/** Long enough for a steady rate. */
const WORKING_MS = 5_000;
/** After each restart, until the rate is normal in any case. */
const WATCHED_MS = 15_000;
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
    const rows = await afterKills(corner, progress);
    return [...rows, await killedAgainAndAgain(corner, progress)];
  } finally {
    await corner.stopWorkers();
    await rm(corner.logFile, { force: true });
    await world.db.terminate();
  }
};

async function afterKills(corner: WorkerCorner, progress: (text: string) => void): Promise<Row[]> {
  const around: number[] = [];
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
    await sleep(WATCHED_MS);
    const times = await applied(corner);
    const perSecond = (from: number, to: number) =>
      (times.filter((at) => at >= from && at < to).length * 1000) / (to - from);
    const later = perSecond(restarted + 10_000, restarted + WATCHED_MS);
    around.push((perSecond(killed - 3_000, killed) + later) / 2);
    after.push(perSecond(restarted + 5_000, restarted + 10_000));
    const resumed = times.find((at) => at > restarted) ?? Number.NaN;
    first.push((resumed - restarted) / 1000);
    progress(
      `kill ${round} of ${ROUNDS}: ${after.at(-1)?.toFixed(0)}/s after, ${around.at(-1)?.toFixed(0)}/s around`,
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
      name: 'events applied, from 5 to 10 s after the restart, against before the kill and later',
      value: percentile(after, 0.5),
      unit: '/s',
      bare: percentile(around, 0.5),
      goal: 'as before',
    },
  ];
}

/** Continues after {@link afterKills}, with its last worker at work. */
async function killedAgainAndAgain(corner: WorkerCorner, progress: (text: string) => void): Promise<Row> {
  await corner.stopWorkers();
  const begun = Date.now();
  let worker = await corner.startWorker();
  for (let kill = 1; kill <= KILLS_IN_A_ROW; kill += 1) {
    await sleep(KILLED_EVERY_MS);
    await worker.kill();
    const count = (await applied(corner)).filter((at) => at >= begun).length;
    progress(`kill ${kill} of ${KILLS_IN_A_ROW}: ${count} events applied so far`);
    if (kill < KILLS_IN_A_ROW) worker = await corner.startWorker();
  }
  const ended = Date.now();
  const times = await applied(corner);
  if (times.length >= EVENTS) throw new Error('all events were applied before the end: publish more');
  const perSecond = (times.filter((at) => at >= begun).length * 1000) / (ended - begun);
  return { name: 'events applied on average, with a kill -9 every 10 s', value: perSecond, unit: '/s' };
}

/** When each event was applied, in milliseconds since the epoch, by the workers' log. */
async function applied(corner: WorkerCorner): Promise<number[]> {
  const lines = (await readFile(corner.logFile, 'utf8').catch(() => '')).split('\n');
  return lines
    .filter((line) => line.includes('Event consumed') && line.includes('"outcome":"applied"'))
    .map((line) => Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? ''));
}
