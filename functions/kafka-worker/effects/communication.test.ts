import { afterEach, describe, expect, it, vi } from 'vitest';
import { holdNextCommit, repeatNextCommit } from '../../../test/support/lost-answer.ts';
import { testLog } from '../../../test/support/kafka.ts';
import { aForeignEvent, anEmailSent, LATER, patientsWorld } from '../../../test/support/patients-world.ts';
import { BY_ADMIN } from '../../../test/support/builders.ts';
import { changePatient } from '../../../shared/patient/change.ts';
import { patientId } from '../../../shared/patient/schema.ts';
import { updatePatient, type StoredPatient } from '../../../shared/store/patients.ts';
import type { IncomingMessage } from '../../../shared/kafka/ports.ts';
import { readEnvelope } from '../../../shared/events/envelope.ts';
import { connectFirestore } from '../../../shared/store/firestore.ts';
import { berlinDateOf } from '../../../shared/platform/clock.ts';
import { communicationEffect } from './communication.ts';
import { handlerOf } from './effect.ts';

const world = patientsWorld();
const anotherClient = () => connectFirestore({ GOOGLE_CLOUD_PROJECT: world.project });
const callDoctor = ({ patient }: StoredPatient) =>
  changePatient(patient, { hausarzt: 'Dr. Probe' } as Parameters<typeof changePatient>[1], LATER);
const lines: string[] = [];
const handle = handlerOf(
  communicationEffect(world.db, () => LATER),
  () => LATER,
  testLog(lines),
);

/** The effect as another process runs it. */
const elsewhere = () => communicationEffect(anotherClient(), () => LATER);

const message = (value: Buffer | null): IncomingMessage => ({
  topic: 'communication-events',
  partition: 0,
  offset: 0n,
  timestamp: Date.now(),
  key: null,
  value,
  headers: {},
});
const consume = (event: object) => handle(message(Buffer.from(JSON.stringify(event))));

afterEach(() => vi.restoreAllMocks());

/** A mail with data below which arrays are nested: the payload has two levels more. */
const nested = (depth: number) =>
  Buffer.from(
    JSON.stringify(anEmailSent(1)).replace(
      '"email_data":{',
      `"email_data":{"a":${'['.repeat(depth)}${']'.repeat(depth)},`,
    ),
  );

/** Outcomes of the last events consumed, as counted. */
function lastOutcomes(count: number): string[] {
  const counted = lines
    .map((line) => JSON.parse(line))
    .filter(({ metrics }) => metrics?.events_consumed === 1);
  return counted.slice(-count).map(({ labels }) => labels.outcome);
}

const lastOutcome = () => lastOutcomes(1)[0];

describe('a communication event', () => {
  it('stamps the contact by its own time in Berlin and is one entry of the history', async () => {
    await world.register(1);
    const event = anEmailSent(1, { timestamp: '2026-11-03T23:30:00Z' });

    await consume(event);

    expect((await world.patient(1)).letzter_kontakt).toBe('2026-11-04');
    expect(await world.history(1)).toEqual([event.eventId]);
    expect(await world.events(1)).toEqual(['patient.created', 'patient.updated']);
  });

  it('counts as applied when the answer to its commit was lost', async () => {
    await world.register(71);
    repeatNextCommit('patients/71');

    await Promise.all([consume(anEmailSent(71)), consume(anEmailSent(71)), consume(anEmailSent(71))]);

    vi.restoreAllMocks();
    expect(lastOutcomes(3)).toEqual(['applied', 'applied', 'applied']);
    expect(await world.history(71)).toHaveLength(3);
    expect(await world.sequence(71)).toBe(2);
  });

  it('is applied by the next worker when one died before its commit', async () => {
    await world.register(76);
    const event = anEmailSent(76);
    const { promise: isReached, resolve: reached } = Promise.withResolvers<void>();
    const never = new Promise(() => {});
    holdNextCommit(() => (reached(), never), 'patients/76/communication');
    void consume(event).catch(() => undefined);
    await isReached;
    vi.restoreAllMocks();

    await handlerOf(elsewhere(), () => LATER, testLog(lines))(message(Buffer.from(JSON.stringify(event))));

    expect(lastOutcome()).toBe('applied');
    expect(await world.history(76)).toEqual([event.eventId]);
  });

  it.each([
    ['changes the patient', '2026-11-04T10:00:00Z'],
    ['leaves the patient as they are', '2026-11-02T10:00:00Z'],
  ])('that %s is not recorded for a patient who is erased meanwhile', async (what, timestamp) => {
    const id = 700 + what.length;
    await world.register(id);
    await consume(anEmailSent(id, { timestamp: '2026-11-03T10:00:00Z' }));
    holdNextCommit(() => world.db.doc(`patients/${id}`).delete(), `patients/${id}/communication`);

    await consume(anEmailSent(id, { timestamp }));

    vi.restoreAllMocks();
    expect(lastOutcome()).toBe('unknown_patient');
    expect(await world.history(id)).toHaveLength(1);
  });

  it('is recorded beside a change of the patient that comes between', async () => {
    await world.register(74);
    holdNextCommit(
      () => updatePatient(anotherClient(), patientId.parse(74), LATER, BY_ADMIN.by, callDoctor),
      'patients/74/communication',
    );

    await consume(anEmailSent(74, { timestamp: '2026-11-03T10:00:00Z' }));

    vi.restoreAllMocks();
    expect(await world.patient(74)).toMatchObject({ letzter_kontakt: '2026-11-03', hausarzt: 'Dr. Probe' });
    expect(await world.sequence(74)).toBe(3);
  });

  it('changes nothing when it comes again', async () => {
    await world.register(2);
    const event = anEmailSent(2);
    await Promise.all([consume(event), consume(event), consume(event)]);

    await consume(event);

    expect(lastOutcome()).toBe('duplicate');
    expect(await world.history(2)).toHaveLength(1);
    expect(await world.sequence(2)).toBe(2);
  });

  it.each([
    ['a text', 'm-1', 'm-1'],
    ['a number', 7, 7],
    ['a number, then the same as a text', 7, '7'],
    ['a text with a slash', '../m/1', '../m/1'],
  ])('of the same mail under new event ids is one contact: %s', async (_, first, again) => {
    const id = 1_000 + Math.floor(Math.random() * 1e6);
    await world.register(id);
    const event = anEmailSent(id, { timestamp: '2026-11-03T10:00:00Z' }, first);
    await consume(event);

    const later = () => anEmailSent(id, { timestamp: '2026-11-04T10:00:00Z' }, again);
    await Promise.all([consume(later()), consume(later())]);
    await consume(event);

    expect(lastOutcome()).toBe('duplicate');
    expect(await world.history(id)).toEqual([event.eventId]);
    expect((await world.patient(id)).letzter_kontakt).toBe('2026-11-03');
    expect(await world.sequence(id)).toBe(2);
  });

  it('of the same mail in two processes at once is one contact', async () => {
    await world.register(8);
    const another = elsewhere();
    const values = Array.from({ length: 8 }, () => Buffer.from(JSON.stringify(anEmailSent(8, {}, 'm-8'))));
    await Promise.all(
      values.map((value, n) =>
        n % 2 === 0 ? handle(message(value)) : another.apply(readEnvelope(value, LATER)),
      ),
    );
    expect(await world.history(8)).toHaveLength(1);
  });

  it('is another contact with another type, another patient, another id or an empty id', async () => {
    await world.register(9);
    await world.register(10);
    const answered = { ...anEmailSent(9, {}, 7), eventType: 'email.response_received' };
    const { payload } = anEmailSent(9) as unknown as { payload: object };
    const call = aForeignEvent('phone_call.completed', { ...payload, call_id: 7, call_data: {} });
    for (const event of [anEmailSent(9, {}, 7), answered, call, anEmailSent(9, {}, '07')])
      await consume(event);
    for (const event of [anEmailSent(9, {}, ''), anEmailSent(9, {}, ' ')]) await consume(event);
    await consume(anEmailSent(10, {}, 7));

    expect(await world.history(9)).toHaveLength(6);
    expect(await world.history(10)).toHaveLength(1);
  });

  it('changes nothing when its event id comes again with another contact, which stays unknown', async () => {
    await world.register(11);
    const event = anEmailSent(11, {}, 7);
    await consume(event);

    for (const reference of ['another', '']) {
      await consume(anEmailSent(11, { eventId: event.eventId.toUpperCase() }, reference));
      expect(lastOutcome()).toBe('duplicate');
    }
    const later = anEmailSent(11, {}, 'another');
    await consume(later);

    expect(lastOutcome()).toBe('applied');
    expect((await world.history(11)).toSorted()).toEqual([event.eventId, later.eventId].toSorted());
  });

  it('never moves the last contact backwards, and publishes nothing then', async () => {
    await world.register(3);
    await consume(anEmailSent(3, { timestamp: '2026-11-03T10:00:00Z' }));
    await consume(anEmailSent(3, { timestamp: '2026-10-01T10:00:00Z' }));
    await consume(anEmailSent(3, { timestamp: '2026-11-03 09:00:00' }));

    expect((await world.patient(3)).letzter_kontakt).toBe('2026-11-03');
    expect(await world.history(3)).toHaveLength(3);
    expect(await world.events(3)).toEqual(['patient.created', 'patient.updated']);
  });

  it('counts a call by its own id', async () => {
    await world.register(4);
    const payload = {
      call_id: 'c-9',
      call_data: {},
      communication_type: 'patient',
      patient_id: 4,
      outcome: 'reached',
    };
    await consume(aForeignEvent('phone_call.completed', payload));
    const [entry] = (await world.db.collection('patients/4/communication').get()).docs;
    expect(entry!.data()).toMatchObject({ event_type: 'phone_call.completed', reference_id: 'c-9' });
  });

  it.each([
    ['no patient', anEmailSent(null), 'no_patient'],
    ['an unknown patient', anEmailSent(4711), 'unknown_patient'],
    ['a type of somebody else', aForeignEvent('email.drafted', {}), 'ignored'],
  ])('with %s is counted and left alone', async (_, event, outcome) => {
    await consume(event);
    expect(lastOutcome()).toBe(outcome);
  });

  it('for an unknown patient leaves nothing behind', async () => {
    await Promise.all([anEmailSent(4712), anEmailSent(4712)].map(consume));
    expect(await world.db.doc('patients/4712').listCollections()).toEqual([]);
  });

  it('without a value is a tombstone, counted and left alone', async () => {
    await handle(message(null));
    expect(lastOutcome()).toBe('tombstone');
  });

  it.each([
    ['is not JSON', Buffer.from('{"eventId":'), 'event.not_json'],
    ['is not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'event.not_json'],
    ['is empty', Buffer.alloc(0), 'event.not_json'],
    ['has no envelope', Buffer.from('{"payload":{}}'), 'event.invalid_envelope'],
    [
      'has version 2',
      Buffer.from(JSON.stringify(anEmailSent(1, { version: '2.0' }))),
      'event.unsupported_version',
    ],
    ['breaks its schema', Buffer.from(JSON.stringify(anEmailSent('1' as never))), 'event.invalid_payload'],
    [
      'is of a mail whose id is half a character',
      Buffer.from(
        JSON.stringify(
          anEmailSent(1, {
            payload: { email_id: '\ud800', email_data: {}, communication_type: 'patient', patient_id: 1 },
          }),
        ),
      ),
      'event.invalid_payload',
    ],
    ['is nested 101 levels deep', nested(99), 'event.invalid_payload'],
    ['is nested 100,000 levels deep', nested(100_000), 'event.invalid_payload'],
  ])('that %s can never be applied', async (_, value, code) => {
    await expect(handle(message(value))).rejects.toMatchObject({ code, retriable: false });
  });

  it('is too large when its data outgrows a document, which numbers written in full can do', async () => {
    await world.register(109);
    const event = JSON.stringify(anEmailSent(109)).replace(
      '"email_data":{',
      `$&"n":[${'1e20,'.repeat(60_000)}1],`,
    );
    await expect(handle(message(Buffer.from(event)))).rejects.toMatchObject({ code: 'event.too_large' });
  });

  it('may be nested 100 levels deep', async () => {
    await world.register(108);
    await handle(message(Buffer.from(String(nested(98)).replace('"patient_id":1', '"patient_id":108'))));
    expect(await world.history(108)).toHaveLength(1);
  });

  it('of a clock that is ahead counts as today, and of one more than a day ahead is refused', async () => {
    await world.register(7);
    const ahead = (hours: number) => LATER.add({ hours }).toString();
    await consume(anEmailSent(7, { timestamp: ahead(24) }));
    expect((await world.patient(7)).letzter_kontakt).toBe(berlinDateOf(LATER));

    for (const timestamp of [LATER.add({ hours: 24, milliseconds: 1 }).toString(), '2062-01-01T00:00:00Z']) {
      await expect(consume(anEmailSent(7, { timestamp }))).rejects.toMatchObject({
        code: 'event.timestamp_in_future',
        retriable: false,
      });
    }
    expect(await world.history(7)).toHaveLength(1);
  });

  it.each([
    ['9999-12-31T23:59:59Z', 'event.timestamp_in_future'],
    ['9999-12-31T23:59:59-14:00', 'event.timestamp_in_future'],
    ['0000-01-01T00:00:00Z', 'event.invalid_envelope'],
    ['+010000-01-01T00:00Z', 'event.invalid_envelope'],
  ])('of %s never reaches a patient (%s)', async (timestamp, code) => {
    await expect(consume(anEmailSent(7, { timestamp }))).rejects.toMatchObject({ code, retriable: false });
  });

  it.each(['2026-11-03T23:30Z', '2026-11-04T00:30+0100', '2026-11-04 00:30:00+01', '2026-11-03T23:30'])(
    'of %s is read',
    async (timestamp) => {
      const id = 100 + Math.floor(Math.random() * 1e6);
      await world.register(id);
      await consume(anEmailSent(id, { timestamp }));
      expect((await world.patient(id)).letzter_kontakt).toBe('2026-11-04');
    },
  );

  it('of 1.x with unknown keys is accepted', async () => {
    await world.register(5);
    await consume(anEmailSent(5, { version: '1.7', sequence: 3, extra: true }));
    expect(await world.history(5)).toHaveLength(1);
  });

  it('leaves no personal value in the log', () => {
    expect(lines.join('')).not.toMatch(/Beispiel|betreff/);
  });
});
