/** Hostile messages on the consumed topics. */
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { aForeignEvent } from '../support/patients-world.ts';
import type { RawRecord } from '../support/raw-batch.ts';
import { aMailTo } from '../support/patients-world.ts';
import type { HostileWorld } from './world.ts';

const COMM = 'communication-events';
const THERAPISTS = 'therapist-events';
/** A partition of communication-events that is not blocked. */
const OPEN = 4;

const blocked = (therapist: number) =>
  aForeignEvent('therapist.blocked', { therapist_id: therapist, therapist_data: {} });
const unblocked = (therapist: number) => aForeignEvent('therapist.unblocked', { therapist_id: therapist });

export function kafkaExamples(world: () => HostileWorld): void {
  const send = (topic: string, partition: number, ...records: RawRecord[]) =>
    world().producer.produce(topic, partition, records);
  const mail = (headers: RawRecord['headers'] = []) => {
    const event = aMailTo(world().patient);
    return { event, record: { key: '9', value: JSON.stringify(event), headers } satisfies RawRecord };
  };

  describe('a batch', () => {
    it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
      'compressed with %s is read',
      async (codec) => {
        const { event, record } = mail();
        await world().producer.produce(COMM, OPEN, [record], codec);
        await world().untilInHistory(world().patient, event.eventId);
      },
    );
  });

  describe('a large message without a key', () => {
    it.each([300_000, 700_000])('of %i characters is one dead letter', async (size) => {
      const value = randomBytes(size).toString('base64').slice(0, size);
      const offset = await send(COMM, OPEN, { value });
      await world().untilBuried(COMM, OPEN, offset);
    });
  });

  describe('a header without a value', () => {
    it('of a broken message is kept in its dead letter, and later messages of its key are applied', async () => {
      const { event, record } = mail();
      const broken = { key: '9', value: 'no event', headers: [['nullhdr', null]] as const };
      const offset = await send(COMM, OPEN, broken, record);
      await world().untilBuried(COMM, OPEN, offset);
      await world().untilInHistory(world().patient, event.eventId);
    });

    it('of a valid event does no harm', async () => {
      const { event, record } = mail([['nullhdr', null]]);
      await send(COMM, OPEN, record);
      await world().untilInHistory(world().patient, event.eventId);
    });
  });

  describe('a position that jumps', () => {
    it('because the topic was deleted and recreated loses no event', async () => {
      const { kafka, watch, untilApplied } = world();
      const admin = kafka.admin();
      await admin.connect();
      await watch.without([THERAPISTS], async () => {
        await admin.deleteTopics({ topics: [THERAPISTS] });
        await eventually(async () => {
          await admin.createTopics({ topics: [{ topic: THERAPISTS, numPartitions: 6 }] });
        });
        const events = Array.from({ length: 7 }, (_, n) => blocked(1_500_000_000 + n));
        for (const [n, event] of events.entries()) {
          await send(THERAPISTS, n % 6, { key: String(n), value: JSON.stringify(event) });
        }
        for (const event of events) await untilApplied(event.eventId);
      });
      await admin.disconnect();
    });

    it('does not prevent added partitions from being read', async () => {
      const { kafka, watch, untilApplied } = world();
      const admin = kafka.admin();
      await admin.connect();
      await admin.createPartitions({ topicPartitions: [{ topic: THERAPISTS, count: 8 }] });
      await admin.disconnect();
      const event = blocked(1_600_000_000);
      // The group of this topic joins again for the new partitions.
      await watch.without([THERAPISTS], async () => {
        await send(THERAPISTS, 7, { key: 'added', value: JSON.stringify(event) });
        await untilApplied(event.eventId);
      });
    });
  });

  describe('messages without a key', () => {
    it('keep their order within the partition', async () => {
      const therapist = 777;
      const patients = await Promise.all(
        Array.from({ length: 25 }, () => world().create({ zugewiesener_therapeut: therapist })),
      );
      const last = unblocked(therapist);
      await send(
        THERAPISTS,
        3,
        { value: JSON.stringify(blocked(therapist)) },
        { value: JSON.stringify(last) },
      );
      await world().untilApplied(last.eventId);
      const read = await Promise.all(patients.map((id) => world().read(id)));
      expect(read.filter((one) => one['zugewiesener_therapeut'] === therapist)).toEqual([]);
      expect(read.filter((one) => (one['ausgeschlossene_therapeuten'] as []).length > 0)).toEqual([]);
    });
  });

  describe('a tombstone', () => {
    it('is ignored and counted', async () => {
      const { event, record } = mail();
      const before = await world().countedOutcome('tombstone');
      const offset = await send(COMM, OPEN, { key: '9', value: null }, record);
      await world().untilInHistory(world().patient, event.eventId);
      expect(await world().buried(COMM, OPEN, offset)).toBe(undefined);
      await eventually(async () => expect(await world().countedOutcome('tombstone')).toBeGreaterThan(before));
    });
  });

  describe('transactions', () => {
    it('leave no lag, and aborted messages are not applied', async () => {
      const [kept, dropped] = [blocked(1_700_000_001), blocked(1_700_000_002)];
      for (const [event, how] of [
        [kept, 'commit'],
        [dropped, 'abort'],
      ] as const) {
        // A producer for each: the client cannot begin the next transaction at once.
        const producer = world().kafka.producer({
          transactionalId: randomUUID(),
          idempotent: true,
          maxInFlightRequests: 1,
        });
        await producer.connect();
        const transaction = await producer.transaction();
        const messages = [{ partition: 2, key: 't', value: JSON.stringify(event) }];
        await transaction.send({ topic: THERAPISTS, messages });
        await transaction[how]();
        await producer.disconnect();
      }
      await world().untilApplied(kept.eventId);
      await world().watch.without([THERAPISTS], () =>
        eventually(async () => {
          expect((await world().groupStatus(THERAPISTS))?.lag).toBe(0);
        }),
      );
      expect((await world().stack.db.doc(`applied_events/${dropped.eventId}`).get()).exists).toBe(false);
    });
  });

  describe('a dead letter', () => {
    it('cannot be hidden or redirected by headers of its message', async () => {
      const forged = [
        ['dlq-resolved-offset', '0'],
        ['dlq-origin-topic', 'patient-events'],
        ['dlq-origin-offset', 'abc'],
        ['dlq-origin-partition', '-1'],
        ['dlq-attempts', 'many'],
        ['dlq-omitted-value-bytes', '1'],
      ] as const;
      const key = world().keyOf(OPEN);
      const offset = await send(COMM, OPEN, { key, value: 'forged', headers: forged });
      await world().untilBuried(COMM, OPEN, offset);
      const letters = await world().deadLetters();
      const mine = letters.find(({ origin }) => origin === `${COMM}:${OPEN}:${offset}`);
      expect(mine).toMatchObject({ error: 'event.not_json' });
      await world().ops('dlq', 'replay', mine!.place);
      await world().untilBuriedBehind(COMM, OPEN, offset);
      const published = await world().stack.history('patient-events');
      expect(published.filter(({ value }) => value === 'forged')).toEqual([]);
    });

    it('that another producer wrote hides no letter and is not redirected', async () => {
      const before = await world().deadLetters();
      const headers = [
        ['dlq-origin-topic', 'patient-events'],
        ['dlq-origin-offset', 'abc'],
        ['dlq-error-class', 'event.not_json'],
      ] as const;
      for (const topic of [`${COMM}.dlq`, `${THERAPISTS}.dlq`]) {
        await send(topic, 1, { key: 'x', value: 'planted', headers }, { value: 'planted, bare' });
        await send(topic, 1, { value: null, headers: [['dlq-resolved-offset', 'abc']] });
      }
      const letters = await world().deadLetters();
      for (const { place } of before) expect(letters.map((one) => one.place)).toContain(place);
      const planted = letters.filter((one) => !before.some(({ place }) => place === one.place));
      if (planted.length > 0) await world().ops('dlq', 'replay', ...planted.map(({ place }) => place));
      const published = await world().stack.history('patient-events');
      expect(published.filter(({ value }) => value.includes('planted'))).toEqual([]);
    });
  });

  describe('a time from outside', () => {
    const at = (timestamp: string) => JSON.stringify(aMailTo(world().patient, { timestamp }));

    it.each(['2062-01-01T00:00:00Z', '9999-12-31T22:00:00Z'])(
      'that lies ahead (%s) is a dead letter',
      async (timestamp) => {
        const offset = await send(COMM, OPEN, { key: '9', value: at(timestamp) });
        await world().untilBuried(COMM, OPEN, offset, 'event.timestamp_in_future');
      },
    );

    it('a few hours ahead counts as today', async () => {
      const id = await world().create();
      const timestamp = new Date(Date.now() + 20 * 3600_000).toISOString();
      const event = aMailTo(id, { timestamp });
      await send(COMM, OPEN, { key: '9', value: JSON.stringify(event) });
      await world().untilInHistory(id, event.eventId);
      const today = new Date().toLocaleDateString('sv-SE', { timeZone: 'Europe/Berlin' });
      expect((await world().read(id))['letzter_kontakt']).toBe(today);
    });

    it.each(['2026-11-03T10:00Z', '2026-11-03T10:00:00+0100', '2026-11-03 10:00'])(
      'written as %s is read',
      async (timestamp) => {
        const id = await world().create();
        const event = aMailTo(id, { timestamp });
        await send(COMM, OPEN, { key: '9', value: JSON.stringify(event) });
        await world().untilInHistory(id, event.eventId);
        expect((await world().read(id))['letzter_kontakt']).toBe('2026-11-03');
      },
    );

    it('that was wrong can be corrected by an admin only', async () => {
      const id = await world().create();
      const path = `/api/patients/${id}/last-contact`;
      await world().request('PATCH', path, { body: { date: '2026-11-20' } });
      const correction = { date: '2026-11-02', correct: true };
      expect((await world().request('PATCH', path, { role: 'staff', body: correction })).status).toBe(403);
      const { status, body } = await world().request('PATCH', path, { body: correction });
      expect([status, body['letzter_kontakt']]).toEqual([200, '2026-11-02']);
    });
  });
}
