/** Kills the two workers of a group in turn while events, poison messages and duplicates arrive. */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { DEADLY_TIMES } from '../../shared/kafka/trial.ts';
import { expectApplied, publishLoad, registerPatients, type Load } from '../support/consumption.ts';
import { eventually } from '../support/eventually.ts';
import { workerCorner, type Worker } from '../support/worker.ts';

const KILLS = 20;
/** Longer than the emulator keeps the locks of a transaction whose process died, on a slow machine. */
const STANDS_MS = 240_000;
/** Slow enough to last for all kills, and light enough for two workers on two cores shared with another test. */
const LOAD: Load = { events: 5_000, patients: 100, chunk: 50, pauseMs: 1_600 };

const corner = await workerCorner();
const workers: Worker[] = [];

afterAll(async () => {
  await corner.stopWorkers();
  await rm(corner.logFile, { force: true });
});

/**
 * In how many deaths some message was tried alone so far. A kill adds one at most. A message is dead-lettered after three, as
 * promised, and they are no fault: a message may wait for half a minute for the locks of a dead process, and meet many kills.
 */
async function mostDeathsAlone(): Promise<number> {
  const { docs } = await corner.world.db.collection('in_flight').get();
  const deaths = docs.map((doc) => {
    const times = (doc.get('suspects') as { times: number }[]).map((suspect) => suspect.times);
    return Math.max(0, ...times) + (doc.get('alone') === true ? 1 : 0);
  });
  return Math.max(0, ...deaths);
}

it(
  'applies everything once when workers are killed at 20 random moments',
  { timeout: 1_500_000 },
  async () => {
    await registerPatients(corner, LOAD.patients);
    workers.push(await corner.startWorker(), await corner.startWorker());
    const publishing = publishLoad(corner, LOAD);

    for (let kill = 0; kill < KILLS; kill += 1) {
      // Each kill meets a group at work.
      const before = await corner.world.countHistory();
      await eventually(
        async () => expect(await corner.world.countHistory()).toBeGreaterThan(before),
        STANDS_MS,
      );
      await sleep(Math.random() * 4_000);
      await eventually(async () => expect(await mostDeathsAlone()).toBeLessThan(DEADLY_TIMES - 1), STANDS_MS);
      const index = Math.floor(Math.random() * workers.length);
      await workers[index]!.kill();
      workers[index] = await corner.startWorker();
    }
    await expectApplied(corner, await publishing, 300_000);
  },
);
