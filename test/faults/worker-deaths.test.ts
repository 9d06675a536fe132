/** A worker that dies each time it handles a message, or in the middle of a long effect, and is restarted. */
import { readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { eventually } from '../support/eventually.ts';
import { aForeignEvent, anEmailSent } from '../support/patients-world.ts';
import { workerCorner, type WorkerCorner } from '../support/worker.ts';

const DEADLY_TEXT = 'a message that ends the process';
const mortal = {
  DEADLY_TEXT,
  NODE_OPTIONS: `--import ${fileURLToPath(new URL('../support/deadly-message.ts', import.meta.url))}`,
};

let corner: WorkerCorner;
beforeAll(async () => {
  corner = await workerCorner();
});
afterEach(() => corner.stopWorkers());
afterAll(() => rm(corner.logFile, { force: true }));

async function publish(topic: string, events: readonly { eventId: string }[]): Promise<void> {
  const publisher = createPublisher(corner.kafka.client);
  await publisher.publish(
    events.map((event) => ({ topic, key: event.eventId, value: JSON.stringify(event) })),
  );
  await publisher.close();
}

const WITHIN_MS = 480_000;
const PATIENT = { timeout: WITHIN_MS + 120_000 };

it(
  'dead-letters each message that ends the process after at most five deaths, and applies its neighbours once',
  PATIENT,
  async () => {
    await corner.world.register(1);
    // In every partition, so that other messages are being handled whenever a process dies.
    const emails = Array.from({ length: 200 }, () => anEmailSent(1));
    const killers = [1, 2].map(() => aForeignEvent('email.sent', { text: DEADLY_TEXT }));
    await publish(
      corner.communicationEvents,
      emails.toSpliced(120, 0, killers[1]!).toSpliced(30, 0, killers[0]!),
    );

    const stopped = new AbortController();
    // Two workers share the partitions: after one dies, the other may get the same message.
    const supervise = async () => {
      while (!stopped.signal.aborted) {
        const worker = await corner.startWorker(mortal);
        if (stopped.signal.aborted) await worker.stop();
        await worker.exited;
      }
    };
    const supervising = [supervise(), supervise()];
    const areApplied = async () => {
      expect(new Set(await corner.world.history(1))).toEqual(new Set(emails.map(({ eventId }) => eventId)));
      const letters = await corner.kafka.read(`${corner.communicationEvents}.dlq`);
      expect(new Set(letters.map(({ headers }) => String(headers['dlq-error-class'])))).toEqual(
        new Set(['event.process_killer']),
      );
      // The second message may end the process after the first one's letter and before the commit: the letter is written again.
      const values = letters.map(({ value }) => (JSON.parse(String(value)) as { eventId: string }).eventId);
      expect(new Set(values)).toEqual(new Set(killers.map(({ eventId }) => eventId)));
    };
    try {
      await eventually(areApplied, WITHIN_MS);
    } finally {
      stopped.abort();
      await corner.stopWorkers();
      await Promise.all(supervising);
    }
    const deaths = (await readFile(corner.logFile, 'utf8')).split(DEADLY_TEXT).length - 1;
    console.log(`two messages ended ${deaths} processes`);
    expect(deaths).toBeGreaterThan(2);
    expect(deaths).toBeLessThanOrEqual(2 * 5);
  },
);

it(
  'blocks a therapist for a thousand patients, each once, when the worker dies in the middle',
  PATIENT,
  async () => {
    const ids = Array.from({ length: 1_000 }, (_, n) => 1_000 + n);
    for (let from = 0; from < ids.length; from += 100) {
      const some = ids.slice(from, from + 100);
      await Promise.all(
        some.map((id) => corner.world.register(id, { zugewiesener_therapeut: 5, status: 'in_Therapie' })),
      );
    }
    const freed = async () => {
      const assigned = corner.world.db.collection('patients').where('zugewiesener_therapeut', '==', 5);
      return ids.length - (await assigned.count().get()).data().count;
    };
    const first = await corner.startWorker();
    await publish(corner.therapistEvents, [
      aForeignEvent('therapist.blocked', { therapist_id: 5, therapist_data: {} }),
    ]);
    await eventually(async () => expect(await freed()).toBeGreaterThan(0));
    await first.kill();
    expect(await freed()).toBeLessThan(1_000);

    await corner.startWorker();

    await eventually(async () => expect(await freed()).toBe(1_000), WITHIN_MS);
    const patients = await Promise.all(ids.map((id) => corner.world.patient(id)));
    expect(new Set(patients.map(({ status }) => status))).toEqual(new Set(['auf_der_Suche']));
    expect(new Set(patients.map((patient) => patient.ausgeschlossene_therapeuten.length))).toEqual(
      new Set([1]),
    );
    // created, updated, status_changed, therapist_excluded: nothing was done twice.
    expect(new Set(await Promise.all(ids.map((id) => corner.world.sequence(id))))).toEqual(new Set([4]));
  },
);
