import { readFile, rm } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { readWorkerStatus } from '../../shared/store/worker-status.ts';
import { eventually } from '../../test/support/eventually.ts';
import { aForeignEvent, anEmailSent } from '../../test/support/patients-world.ts';
import { probe, workerCorner } from '../../test/support/worker.ts';

const corner = await workerCorner();
const { kafka, world } = corner;
const publisher = createPublisher(kafka.client);

afterAll(async () => {
  await corner.stopWorkers();
  await publisher.close();
  await rm(corner.logFile, { force: true });
});

const send = (topic: string, key: string, event: object | string) =>
  publisher.publish([{ topic, key, value: typeof event === 'string' ? event : JSON.stringify(event) }]);

describe('the worker', () => {
  it('takes events in, sends events out, buries poison, reports itself and ends by itself', async () => {
    await world.register(1, { zugewiesener_therapeut: 5, status: 'in_Therapie' });
    const worker = await corner.startWorker();
    const email = anEmailSent(1);
    await send(corner.communicationEvents, 'mail-1', email);
    await send(corner.communicationEvents, 'mail-2', 'not JSON');
    await send(
      corner.therapistEvents,
      '5',
      aForeignEvent('therapist.blocked', { therapist_id: 5, therapist_data: {} }),
    );

    await eventually(async () => {
      expect(await world.history(1)).toEqual([email.eventId]);
      expect(await world.patient(1)).toMatchObject({
        zugewiesener_therapeut: null,
        letzter_kontakt: '2026-11-03',
      });
      expect(
        (await kafka.read(`${corner.communicationEvents}.dlq`)).map(({ value }) => String(value)),
      ).toEqual(['not JSON']);
    });
    await eventually(async () => {
      const published = (await kafka.read(corner.patientEvents)).map(({ value }) =>
        JSON.parse(String(value)),
      );
      expect(published.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5]);
    });
    expect([await probe(worker, '/livez'), await probe(worker, '/readyz'), await probe(worker, '/')]).toEqual(
      [200, 200, 404],
    );
    await eventually(async () => {
      expect(await readWorkerStatus(world.db)).toMatchObject({
        kafka_reachable: true,
        dead_letters: 1,
        last_relay_at: expect.stringMatching(/Z$/),
        groups: [
          { topic: corner.communicationEvents, lag: 0, last_poll_at: expect.stringMatching(/Z$/) },
          { topic: corner.therapistEvents, lag: 0 },
        ],
      });
    });

    // Only the signal: stop() would also kill a worker that does not end.
    process.kill(worker.pid!, 'SIGTERM');
    await worker.exited;
    expect((await world.db.collection('in_flight').get()).size).toBe(0);
    expect(await readFile(corner.logFile, 'utf8')).not.toMatch(/Beispiel|not JSON/);
  });

  it('is alive but not ready without Kafka, and says so in its status', async () => {
    const worker = await corner.startWorker({ KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:9' });
    await eventually(async () => expect(await probe(worker, '/readyz')).toBe(503));
    expect(await probe(worker, '/livez')).toBe(200);
    await eventually(async () => {
      expect(await readWorkerStatus(world.db)).toMatchObject({
        kafka_reachable: false,
        dead_letters: null,
        groups: [{ lag: null, last_poll_at: null }, { lag: null }],
      });
    });
    await worker.stop();
  });
});
