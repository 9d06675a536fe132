import { setTimeout as sleep } from 'node:timers/promises';
import { Query, Timestamp, type QuerySnapshot } from '@google-cloud/firestore';
import { ConfigResourceTypes, Kafka, logLevel } from 'kafkajs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { BY_ADMIN } from '../../../test/support/builders.ts';
import { aMail, entryOf, relayWorld } from '../../../test/support/relay-world.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { assertNoGaps, assertRepeatsAreExact } from '../../../test/support/history.ts';
import { kafkaCorner } from '../../../test/support/kafka.ts';
import { createPublisher } from '../../../shared/kafka/publish.ts';
import { patientId } from '../../../shared/patient/schema.ts';
import { continueTrace, withTrace } from '../../../shared/platform/trace.ts';
import { eventsQuery } from '../../../shared/store/outbox-events.ts';
import { SHARDS } from '../../../shared/store/outbox.ts';
import { announceErasure, beginErasure } from '../../../shared/store/erasures.ts';
import { releaseFence } from '../../../shared/registration/restore-fence.ts';
import { markDoc } from '../../../shared/store/fence.ts';
import { systemClock } from '../../../shared/platform/system-clock.ts';

type World = Awaited<ReturnType<typeof relayWorld>>;

const worlds: World[] = [];
const world = async () => {
  const made = await relayWorld();
  worlds.push(made);
  return made;
};
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((made) => made.close()));
});

const emptied = (made: World, withinMs?: number) =>
  eventually(async () => expect(await made.waiting()).toBe(0), withinMs);

describe('events', () => {
  it('go out as they were stored, with the patient as key and CloudEvents headers, and leave the outbox', async () => {
    const made = await world();
    const trace = continueTrace(undefined);
    await withTrace(trace, () => made.register(7));
    const stored = (await made.db.collection('outbox').get()).docs[0]!;

    made.start();
    await emptied(made);

    const [message, ...more] = await made.kafka.read(made.topic);
    expect(more).toEqual([]);
    expect(String(message!.key)).toBe('7');
    expect(String(message!.value)).toBe(stored.get('envelope'));
    const headers = Object.fromEntries(
      Object.entries(message!.headers).map(([name, value]) => [name, String(value)]),
    );
    expect(headers).toEqual({
      ce_specversion: '1.0',
      ce_id: stored.id,
      ce_type: 'patient.created',
      ce_source: '/patient-service',
      ce_time: stored.get('timestamp'),
      'content-type': 'application/json',
      traceparent: stored.get('traceparent'),
    });
    expect(headers['traceparent']).toContain(trace.traceId);
    const lines = made.logged.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find(({ message }) => message === 'Event published')).toMatchObject({
      event_type: 'patient.created',
      patient_id: 7,
      sequence: 1,
      event_id: stored.id,
      'logging.googleapis.com/trace': `projects/test/traces/${trace.traceId}`,
    });
    expect(lines).toContainEqual(
      expect.objectContaining({
        metrics: { events_published: 1, publish_latency_ms: expect.any(Number) },
        labels: { event_type: 'patient.created' },
      }),
    );
  });

  it('that are committed while it listens are sent at once, not at the next poll', async () => {
    const made = await world();
    const relay = made.start();
    await eventually(() => expect(relay.state().lastRelayAt).toBeDefined());
    // Past the moment when it looks once more because a listener has begun; the next poll is 30 s away.
    await sleep(1_500);

    await made.register(1);

    await emptied(made, 25_000);
  });

  it('of a patient keep their order over many pages and concurrent changes', async () => {
    const made = await world();
    const patients = [1, 2, 3];
    for (const id of patients) await made.register(id);
    for (const id of patients) for (let n = 0; n < 3; n += 1) await made.restate(id, 200);
    expect(await made.waiting()).toBe(1_803);

    made.start();
    for (let n = 0; n < 5; n += 1) await Promise.all(patients.map((id) => made.restate(id, 3)));
    await emptied(made);

    const published = await made.published();
    assertNoGaps(published);
    expect(published).toHaveLength(1_848);
  });

  it('are read from four shards at a time, so that a deep backlog is not in memory all at once', async () => {
    const made = await world();
    const pages = Array.from({ length: SHARDS }, (_, shard) => eventsQuery(made.db, shard, 500));
    const { get } = Query.prototype as { get: (this: Query) => Promise<QuerySnapshot> };
    let reading = 0;
    let most = 0;
    const spy = vi.spyOn(Query.prototype, 'get').mockImplementation(function (this: Query) {
      if (!pages.some((page) => page.isEqual(this))) return get.call(this);
      most = Math.max(most, (reading += 1));
      return get.call(this).finally(() => (reading -= 1));
    });

    const relay = made.start();
    await eventually(() => expect(relay.state().lastRelayAt).toBeDefined());
    spy.mockRestore();

    expect(most).toBe(4);
  });

  it('are sent by number where the clocks of two commits disagree', async () => {
    const made = await world();
    await made.register(1);
    await made.change(1, 'a');
    await made.change(1, 'b');
    const { docs } = await made.db.collection('outbox').where('sequence', '==', 3).get();
    const first = (await made.db.collection('outbox').where('sequence', '==', 2).get()).docs[0]!;
    await docs[0]!.ref.update({ created_at: first.get('created_at') });
    await first.ref.update({ created_at: docs[0]!.get('created_at') });

    made.start();
    await emptied(made);

    assertNoGaps(await made.published());
  });

  it('are sent by number also where a page ends between two whose times say otherwise', async () => {
    const made = await world();
    await made.register(1);
    for (let n = 0; n < 3; n += 1) await made.restate(1, 200);
    const { docs } = await made.db.collection('outbox').get();
    // The relay reads pages of 500: number 501 comes to stand at the end of the first, and 500 behind it.
    const begin = Date.now() - 60_000;
    const place = (sequence: number) => (sequence === 500 ? 501 : sequence === 501 ? 500 : sequence);
    for (const half of [docs.slice(0, 300), docs.slice(300)]) {
      const batch = made.db.batch();
      for (const doc of half) {
        const at = begin + 10 * place(doc.get('sequence') as number);
        batch.update(doc.ref, { created_at: Timestamp.fromMillis(at) });
      }
      await batch.commit();
    }

    made.start();
    await emptied(made);

    assertNoGaps(await made.published());
  });

  it('are not sent from a restored copy until it is released, nor after the database has become one', async () => {
    const made = await world();
    await made.register(1);
    const first = made.start();
    await emptied(made);
    const snapshot = (await markDoc(made.db).get()).data()!;
    await first.stop();
    await markDoc(made.db).set(snapshot);
    await made.change(1, 'a');

    made.start({ markMs: 200 });
    const refusals = () => made.logged.filter((line) => line.includes('the database is a restored copy'));
    await eventually(() => expect(refusals()).toHaveLength(1));
    await sleep(1_000);
    expect(await made.waiting()).toBe(1);

    const deps = { db: made.db, bucket: made.bucket, clock: systemClock };
    await releaseFence(deps, { from: null, until: '2026-11-28T00:00:00.000Z' });
    await emptied(made);

    await markDoc(made.db).set(snapshot);
    await eventually(() => expect(refusals().length).toBeGreaterThan(1));
    await made.change(1, 'b');
    await sleep(1_000);
    expect(await made.waiting()).toBe(1);
  });

  it('end with patient.deleted after an erasure, whatever was still waiting', async () => {
    const made = await world();
    await made.register(1);
    await made.change(1, 'a');
    await beginErasure(made.db, patientId.parse(1), systemClock(), BY_ADMIN);
    await announceErasure(made.db, patientId.parse(1), systemClock());

    made.start();
    await emptied(made);

    const published = await made.published();
    assertNoGaps(published);
    expect(published.map(({ value }) => (JSON.parse(value) as { eventType: string }).eventType)).toEqual([
      'patient.deleted',
    ]);
  });

  it.each([
    ['a number', 5],
    ['nothing', null],
  ])(
    'that can never be sent, here %s, wait with their successors and let all others pass',
    async (_, envelope) => {
      const made = await world();
      for (const id of [1, 2, 3]) await made.register(id);
      await made.change(1, 'a');
      await made.change(1, 'b');
      const { docs } = await made.db
        .collection('outbox')
        .where('patient_id', '==', 1)
        .orderBy('sequence')
        .get();
      await docs[1]!.ref.update({ envelope });

      const relay = made.start();
      await eventually(async () => expect(await made.waiting()).toBe(2));

      const published = (await made.published()).map(({ key, value }) => [
        key,
        (JSON.parse(value) as { sequence: number }).sequence,
      ]);
      expect(new Set(published.map(String))).toEqual(new Set(['1,1', '2,1', '3,1']));
      expect(relay.state().lastErrorCode).toBe('event.unsendable');
      expect(made.logged.map((line) => JSON.parse(line) as object)).toEqual(
        expect.arrayContaining([
          expect.objectContaining({
            severity: 'ERROR',
            patient_id: 1,
            sequence: 2,
            error_code: 'event.unsendable',
          }),
          expect.objectContaining({ metrics: { errors: 1 }, labels: { error_code: 'event.unsendable' } }),
        ]),
      );
    },
  );

  it('that are too large wait with the next ones of their patient, and delay nobody else', async () => {
    const made = await world();
    const topic = `${made.kafka.prefix}narrow`;
    const client = new Kafka({
      brokers: [...made.kafka.config.KAFKA_BOOTSTRAP_SERVERS],
      logLevel: logLevel.NOTHING,
    });
    const admin = client.admin();
    await admin.connect();
    const limit = (value: string) => ({ configEntries: [{ name: 'max.message.bytes', value }] });
    await admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic, numPartitions: 1, ...limit('20000') }],
    });
    const reasons = Array.from({ length: 60 }, (_, id) => ({ id: id + 1, reason: 'x'.repeat(450) }));
    await made.register(1, { ausgeschlossene_therapeuten: reasons });
    for (let id = 2; id <= 40; id += 1) await made.register(id);

    const relay = made.start({ topic });
    await eventually(async () => expect(await made.waiting()).toBe(61));
    expect(await made.events(1)).toHaveLength(61);
    expect(relay.state().lastErrorCode).toBe('event.too_large');
    // Nothing wakes the relay for what stands behind: it looks by itself.
    await made.register(41);
    await eventually(async () => expect(await made.waiting()).toBe(61));
    await relay.stop();

    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, ...limit('900000') }],
    });
    await admin.disconnect();
    made.start({ topic });
    await emptied(made);

    const published = (await made.kafka.read(topic)).map(entryOf);
    assertNoGaps(published);
    assertRepeatsAreExact(published);
    expect(new Set(published.map(({ key }) => key)).size).toBe(41);
  });
});

describe('several workers', () => {
  it('relay one at a time, and the next takes over at once when one stops in order', async () => {
    const made = await world();
    // It does not expire within this test: only the one who stops can give it away.
    const lease = { ttlMs: 600_000, renewMs: 300 };
    const first = made.start({ lease });
    await eventually(() => expect(first.state().leader).toBe(true));
    const second = made.start({ lease });
    await made.register(1);
    await emptied(made);
    expect(second.state().leader).toBe(false);

    await first.stop();
    await made.register(2);
    await emptied(made);

    expect(second.state().leader).toBe(true);
    expect(await made.published()).toHaveLength(2);
  });
});

describe('mails', () => {
  it('are sent while Kafka is down, and the events follow when it is up again', async () => {
    const made = await world();
    const nobody = await kafkaCorner({ KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:9' });
    const publisher = createPublisher(nobody.client, { attempts: 1 });
    await made.register(1);
    const cutOff = made.start({ publisher });
    await made.mail(aMail('before'));
    await eventually(() => expect(made.communication.keys()).toEqual(['before']));
    await eventually(() => expect(cutOff.state().lastErrorCode).toBe('kafka.unavailable'));
    expect(await made.events(1)).toEqual(['patient.created']);
    await cutOff.stop();
    await publisher.close();

    made.start();
    await emptied(made);

    assertNoGaps(await made.published());
  });

  it('are repeated until they are accepted, under the same key and trace', async () => {
    const made = await world();
    await made.communication.fail(500, 2);
    const trace = continueTrace(undefined);
    made.start();
    await withTrace(trace, () => made.mail(aMail('cause')));
    await emptied(made);

    expect(made.communication.requests.map(({ key }) => key)).toEqual(['cause', 'cause', 'cause']);
    for (const { traceparent } of made.communication.requests) expect(traceparent).toContain(trace.traceId);
    expect(made.communication.keys()).toEqual(['cause']);
  });

  it('that are always refused block nobody, stay in the outbox, and are logged without their text', async () => {
    const made = await world();
    made.start();
    await made.mail(aMail('poison', { subject: '', message: 'Lena Beispiel' }));
    await eventually(() => expect(made.communication.requests.length).toBeGreaterThan(1));
    for (let n = 0; n < 30; n += 1) await made.mail(aMail(`fine-${n}`));
    await eventually(() => expect(made.communication.keys()).toHaveLength(30));

    await eventually(async () => expect(await made.waiting()).toBe(1));
    const log = made.logged.join('');
    expect(log).toContain('"error_code":"communication.refused"');
    expect(log).toContain('"status":422');
    expect(log).not.toContain('Beispiel');
  });
});
