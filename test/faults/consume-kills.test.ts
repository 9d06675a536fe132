/** Workers die at random moments under load; what they consumed is applied once all the same. */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { expectApplied, publishLoad, registerPatients } from '../support/consumption.ts';
import { workerCorner, type Worker } from '../support/worker.ts';

const KILLS = 20;
const corner = await workerCorner();

afterAll(async () => {
  await corner.stopWorkers();
  await rm(corner.logFile, { force: true });
});

it('applies every event once although two workers are killed twenty times at random moments', async () => {
  await registerPatients(corner, 60);
  const workers: Worker[] = [await corner.startWorker(), await corner.startWorker()];
  const publishing = publishLoad(corner, { events: 1_500, patients: 60, chunk: 50, pauseMs: 1_000 });

  for (let kill = 0; kill < KILLS; kill += 1) {
    await sleep(500 + Math.random() * 3_000);
    const victim = kill % 2;
    await workers[victim]!.kill();
    workers[victim] = await corner.startWorker();
  }

  await expectApplied(corner, await publishing, 240_000);
  const letters = await corner.kafka.read(`${corner.communicationEvents}.dlq`);
  expect(new Set(letters.map(({ headers }) => String(headers['dlq-error-class'])))).toEqual(
    new Set(['event.not_json']),
  );
}, 480_000);
