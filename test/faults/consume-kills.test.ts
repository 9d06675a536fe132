/** Two workers share the group; one or both are killed again and again while events, poison and duplicates come in. */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { expectApplied, publishLoad, registerPatients, type Load } from '../support/consumption.ts';
import { eventually } from '../support/eventually.ts';
import { workerCorner, type Worker } from '../support/worker.ts';

const KILLS = 20;
/** Slow enough to last for all the kills. */
const LOAD: Load = { events: 10_000, patients: 100, chunk: 100, pauseMs: 1_200 };

const corner = await workerCorner();
const workers: Worker[] = [];

afterAll(async () => {
  await corner.stopWorkers();
  await rm(corner.logFile, { force: true });
});

async function stored(): Promise<number> {
  return (await corner.world.db.collectionGroup('communication').count().get()).data().count;
}

async function killOne(index: number): Promise<void> {
  await workers[index]!.kill();
  workers[index] = await corner.startWorker();
}

it('applies everything once when workers are killed at 20 random moments', { timeout: 600_000 }, async () => {
  await registerPatients(corner, LOAD.patients);
  workers.push(await corner.startWorker(), await corner.startWorker());
  const publishing = publishLoad(corner, LOAD);

  let underLoad = 0;
  for (let kills = 0; kills < KILLS;) {
    const before = await stored();
    // A kill is worth something when the group is at work again.
    const working = eventually(async () => expect(await stored()).toBeGreaterThan(before), 30_000);
    if (
      await working.then(
        () => true,
        () => false,
      )
    )
      underLoad += 1;
    await sleep(Math.random() * 1_500);
    await killOne(kills % 2);
    kills += 1;
    if (Math.random() < 0.5 && kills < KILLS) {
      await sleep(Math.random() * 1_000);
      await killOne(kills % 2);
      kills += 1;
    }
  }
  console.log(`${underLoad} times the group was at work again before the next kill`);

  await expectApplied(corner, await publishing, 180_000);
});
