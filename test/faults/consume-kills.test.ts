/** Kills the two workers of a group in turn while events, poison messages and duplicates arrive. */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, it } from 'vitest';
import { expectApplied, publishLoad, registerPatients, type Load } from '../support/consumption.ts';
import { workerCorner, type Worker } from '../support/worker.ts';

const KILLS = 20;
/** Slow enough to last for all kills, and light enough for two workers on two cores shared with another test. */
const LOAD: Load = { events: 5_000, patients: 100, chunk: 50, pauseMs: 1_200 };

const corner = await workerCorner();
const workers: Worker[] = [];

afterAll(async () => {
  await corner.stopWorkers();
  await rm(corner.logFile, { force: true });
});

it('applies everything once when workers are killed at 20 random moments', { timeout: 900_000 }, async () => {
  await registerPatients(corner, LOAD.patients);
  workers.push(await corner.startWorker(), await corner.startWorker());
  const publishing = publishLoad(corner, LOAD);

  let atWork = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = await corner.world.countHistory();
    await sleep(Math.random() * 14_000);
    if ((await corner.world.countHistory()) > before) atWork += 1;
    const index = Math.floor(Math.random() * workers.length);
    await workers[index]!.kill();
    workers[index] = await corner.startWorker();
  }
  console.log(`${atWork} of ${KILLS} kills came when the group was at work since the one before`);

  await expectApplied(corner, await publishing, 300_000);
});
