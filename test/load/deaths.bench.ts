/**
 * A worker that is killed with kill -9 and started again: how fast it consumes from 5 to 10 s after each restart, while more
 * events wait than it can apply; and whether the lag grows with a kill every 10 s, while half as many events arrive as a
 * worker applies undisturbed.
 */
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPublisher, type Publisher } from '../../shared/kafka/publish.ts';
import { eventually } from '../support/eventually.ts';
import { anEmailSent } from '../support/patients-world.ts';
import { workerCorner, type WorkerCorner } from '../support/worker.ts';
import { percentile, rate, type Bench, type Row } from './rows.ts';

const PATIENTS = 500;
const EVENTS = 350_000;
const ROUNDS = 5;
const CYCLES = 8;
/** Between two kills: a restart, and some seconds of steady work. */
const CYCLE_MS = 10_000;
/** After each restart: until the rate is normal in any case. */
const WATCHED_MS = 12_000;
/** A worker's first events are slower: its code is compiled. */
const WARM = 2_000;
/** Events are published this often. */
const BEAT_MS = 100;

export const bench: Bench = async (progress) => {
  const { rows, normal } = await onFreshTopics((corner, publisher) =>
    afterKills(corner, publisher, progress),
  );
  const again = await onFreshTopics((corner, publisher) =>
    killedAgainAndAgain(corner, publisher, normal / 2, progress),
  );
  return [...rows, ...again];
};

async function onFreshTopics<T>(measure: (corner: WorkerCorner, publisher: Publisher) => Promise<T>) {
  const corner = await workerCorner();
  const { world } = corner;
  const publisher = createPublisher(corner.kafka.client);
  try {
    const ids = Array.from({ length: PATIENTS }, (_, n) => n + 1);
    await rate(ids, 8, (id) => world.register(id));
    return await measure(corner, publisher);
  } finally {
    await corner.stopWorkers();
    await publisher.close();
    await rm(corner.logFile, { force: true });
    await world.db.terminate();
  }
}

async function afterKills(corner: WorkerCorner, publisher: Publisher, progress: (text: string) => void) {
  progress(`publishing ${EVENTS} events`);
  for (let n = 0; n < EVENTS; n += 1_000) await publishEvents(corner, publisher, n, 1_000);
  let worker = await corner.startWorker();
  const applied = followLog(corner);
  await eventually(async () => {
    if ((await applied()).length < WARM) throw new Error('not yet');
  }, 120_000);
  const before: number[] = [];
  const after: number[] = [];
  const first: number[] = [];
  await sleep(CYCLE_MS / 2);
  for (let round = 1; round <= ROUNDS; round += 1) {
    const killed = Date.now();
    await worker.kill();
    worker = await corner.startWorker();
    const restarted = Date.now();
    await sleep(WATCHED_MS);
    const times = await applied();
    const perSecond = (from: number, to: number) =>
      (times.filter((at) => at >= from && at < to).length * 1000) / (to - from);
    before.push(perSecond(killed - CYCLE_MS / 2, killed));
    after.push(perSecond(restarted + CYCLE_MS / 2, restarted + CYCLE_MS));
    first.push(((times.find((at) => at > restarted) ?? Number.NaN) - restarted) / 1000);
    progress(
      `kill ${round} of ${ROUNDS}: first event after ${first.at(-1)?.toFixed(2)} s; ` +
        `${before.at(-1)?.toFixed(0)}/s before, ${after.at(-1)?.toFixed(0)}/s after`,
    );
  }
  if ((await applied()).length >= EVENTS) throw new Error('all events were applied: publish more');
  const normal = percentile(before, 0.5);
  const rows: Row[] = [
    {
      name: 'kill -9 and restart → first event applied, slowest',
      value: Math.max(...first),
      unit: 's',
      goal: '< 5 s',
    },
    {
      name: 'events applied, from 5 to 10 s after the restart, against before the kill',
      value: percentile(after, 0.5),
      unit: '/s',
      bare: normal,
      goal: 'as before',
    },
  ];
  return { rows, normal };
}

/** @param perSecond events that arrive in a second */
async function killedAgainAndAgain(
  corner: WorkerCorner,
  publisher: Publisher,
  perSecond: number,
  progress: (text: string) => void,
): Promise<Row[]> {
  progress(
    `${perSecond.toFixed(0)} events arrive in a second, and a worker is killed every ${CYCLE_MS / 1000} s`,
  );
  let worker = await corner.startWorker();
  const applied = followLog(corner);
  const begun = Date.now();
  const arrivals = new AbortController();
  let published = 0;
  const arriving = (async () => {
    while (!arrivals.signal.aborted) {
      const due = Math.floor(((Date.now() - begun) * perSecond) / 1000) - published;
      await publishEvents(corner, publisher, published, due);
      published += due;
      await sleep(BEAT_MS);
    }
  })();
  const lags: number[] = [];
  for (let cycle = 1; cycle <= CYCLES; cycle += 1) {
    await sleep(begun + cycle * CYCLE_MS - Date.now());
    const arrived = published;
    await worker.kill();
    lags.push((arrived - (await applied()).length) / perSecond);
    progress(`kill ${cycle} of ${CYCLES}: ${lags.at(-1)?.toFixed(2)} s of arrivals wait`);
    if (cycle < CYCLES) worker = await corner.startWorker();
  }
  arrivals.abort();
  await arriving;
  const most = (first: number, last: number): Row => ({
    name: `${perSecond.toFixed(0)} events/s and a kill every 10 s → arrivals that wait, most in cycles ${first} to ${last}`,
    value: Math.max(...lags.slice(first - 1, last)),
    unit: 's',
  });
  return [most(1, CYCLES / 2), { ...most(CYCLES / 2 + 1, CYCLES), goal: 'no more than in the first cycles' }];
}

async function publishEvents(corner: WorkerCorner, publisher: Publisher, from: number, count: number) {
  const topic = corner.communicationEvents;
  const events = Array.from({ length: count }, (_, n) => anEmailSent(1 + ((from + n) % PATIENTS)));
  if (count === 0) return;
  await publisher.publish(
    events.map((event) => ({ topic, key: event.eventId, value: JSON.stringify(event) })),
  );
}

/**
 * Follows the workers' log. The returned function reads what is new in it and returns when each event was applied first, in
 * milliseconds since the epoch and in order.
 */
function followLog({ logFile }: WorkerCorner): () => Promise<readonly number[]> {
  const seen = new Set<string>();
  const times: number[] = [];
  let position = 0;
  return async () => {
    const log = createReadStream(logFile, { start: position, encoding: 'utf8' });
    let text = '';
    for await (const part of log) text += part;
    // The last line may not be complete yet.
    const lines = text.slice(0, text.lastIndexOf('\n') + 1);
    position += Buffer.byteLength(lines);
    for (const line of lines.split('\n')) {
      // A killed worker may have applied an event without logging it: the next one finds a duplicate.
      if (!line.includes('Event consumed') || !/"outcome":"(?:applied|duplicate)"/.test(line)) continue;
      const id = /"event_id":"([^"]+)"/.exec(line)?.[1] ?? '';
      if (seen.has(id)) continue;
      seen.add(id);
      times.push(Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? ''));
    }
    return times;
  };
}
