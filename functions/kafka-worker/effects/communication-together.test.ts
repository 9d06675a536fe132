import { afterEach, describe, expect, it, vi } from 'vitest';
import { loseNextCommit } from '../../../test/support/lost-answer.ts';
import { anEmailSent, LATER, patientsWorld } from '../../../test/support/patients-world.ts';
import { readEnvelope } from '../../../shared/events/envelope.ts';
import { continueTrace, traceparentOf, withTrace } from '../../../shared/platform/trace.ts';
import { connectFirestore } from '../../../shared/store/firestore.ts';
import { communicationEffect } from './communication.ts';
import type { Applied } from './effect.ts';

const world = patientsWorld();
const effect = communicationEffect(world.db, () => LATER);

/** The effect as another process runs it. */
const elsewhere = () =>
  communicationEffect(connectFirestore({ GOOGLE_CLOUD_PROJECT: world.project }), () => LATER);

const read = (event: object) => readEnvelope(Buffer.from(JSON.stringify(event)), LATER);
const consume = (event: object) => effect.apply(read(event));

const outcomesOf = (applied: readonly Applied[]) => applied.map(({ outcome }) => outcome);

afterEach(() => vi.restoreAllMocks());

describe('a communication event that waits with others', () => {
  it('shares a write with others of its patient that wait with it', async () => {
    await world.register(12);
    const days = ['03', '01', '04', '02'];
    await Promise.all(days.map((day) => consume(anEmailSent(12, { timestamp: `2026-11-${day}T10:00:00Z` }))));
    expect(await world.history(12)).toHaveLength(4);
    expect((await world.patient(12)).letzter_kontakt).toBe('2026-11-04');
    // One change for all: one by one, the first and the third event would each have made one.
    expect(await world.sequence(12)).toBe(2);
  });

  it('shares a write with those of other patients, each with its own outcome and trace', async () => {
    await world.register(15);
    await world.register(16);
    const commits = vi.spyOn(world.db as unknown as { request: (method: string) => unknown }, 'request');
    const traces = [15, 4713, 16].map((patient) => ({ patient, trace: continueTrace(undefined) }));

    const applied = await Promise.all(
      traces.map(({ patient, trace }) => withTrace(trace, () => consume(anEmailSent(patient)))),
    );

    expect(outcomesOf(applied)).toEqual(['applied', 'unknown_patient', 'applied']);
    expect(commits.mock.calls.filter(([method]) => method === 'commit')).toHaveLength(1);
    vi.restoreAllMocks();
    expect(await world.history(15)).toHaveLength(1);
    expect(await world.history(4713)).toEqual([]);
    for (const { patient, trace } of [traces[0]!, traces[2]!]) {
      const { docs } = await world.db.collection('outbox').where('patient_id', '==', patient).get();
      const change = docs.find((doc) => doc.get('event_type') === 'patient.updated');
      expect(change?.get('traceparent')).toBe(traceparentOf(trace));
    }
  });

  it('counts once among those that share its write', async () => {
    await world.register(14);
    const [one, other] = [anEmailSent(14, {}, 1), anEmailSent(14, {}, 2)];
    const again = anEmailSent(14, {}, 1);
    const applied = await Promise.all([one, other, one, again].map(consume));
    expect(outcomesOf(applied)).toEqual(['applied', 'applied', 'duplicate', 'duplicate']);
    expect((await world.history(14)).toSorted()).toEqual([one.eventId, other.eventId].toSorted());
    expect(await world.sequence(14)).toBe(2);
  });

  it('is recorded by itself when the write that it shares cannot be committed', async () => {
    await world.register(13);
    await consume(anEmailSent(13, {}, 'taken'));
    await world.register(17);
    const neighbour = anEmailSent(17);
    const mails = ['one', 'taken', 'two'].map((mail) => anEmailSent(13, {}, mail));
    const applied = await Promise.all([...mails, neighbour].map(consume));
    expect(outcomesOf(applied)).toEqual(['applied', 'duplicate', 'applied', 'applied']);
    expect(await world.history(17)).toEqual([neighbour.eventId]);
    const { docs } = await world.db.collection('patients/13/communication').get();
    expect(docs.map((doc) => String(doc.get('reference_id'))).toSorted()).toEqual(['one', 'taken', 'two']);
  });

  it('takes its turn with others of the same patient', async () => {
    await world.register(6);
    await Promise.all(Array.from({ length: 20 }, () => consume(anEmailSent(6))));
    expect(await world.history(6)).toHaveLength(20);
    expect(await world.sequence(6)).toBe(2);
  });

  it('is applied with others when their commit was lost and another process applied one of them meanwhile', async () => {
    await world.register(72);
    await consume(anEmailSent(72, { timestamp: '2026-11-04T10:00:00Z' }));
    const [one, other] = [anEmailSent(72), anEmailSent(72)];
    const another = elsewhere();
    loseNextCommit(() => another.apply(read(one)));

    await Promise.all([one, other].map(consume));

    vi.restoreAllMocks();
    expect(await world.history(72)).toHaveLength(3);
    expect(await world.history(72)).toContain(other.eventId);
  });
});
