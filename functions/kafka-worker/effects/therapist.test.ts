import { afterEach, describe, expect, it, vi } from 'vitest';
import { loseNextAnswer } from '../../../test/support/lost-answer.ts';
import { aForeignEvent, LATER, patientsWorld } from '../../../test/support/patients-world.ts';
import { testLog } from '../../../test/support/kafka.ts';
import { readEnvelope } from '../../../shared/events/envelope.ts';
import { therapistEffect } from './therapist.ts';

const world = patientsWorld();
const lines: string[] = [];
const effect = therapistEffect(world.db, () => LATER, testLog(lines));

const consume = (event: object) => effect.apply(readEnvelope(Buffer.from(JSON.stringify(event)), LATER));
const blocked = (therapist_id: number) =>
  aForeignEvent('therapist.blocked', { therapist_id, therapist_data: {}, reason: 'sick' });
const unblocked = (therapist_id: number) => aForeignEvent('therapist.unblocked', { therapist_id });

afterEach(() => vi.restoreAllMocks());

describe('blocking a therapist', () => {
  it("changes a patient once when the answer to that patient's commit was lost", async () => {
    await world.register(8, { zugewiesener_therapeut: 800, status: 'in_Therapie' });
    loseNextAnswer(undefined, '/patients/8');

    expect(await consume(blocked(800))).toMatchObject({ outcome: 'applied', count: 1 });

    expect(await world.events(8)).toEqual([
      'patient.created',
      'patient.updated',
      'patient.status_changed',
      'patient.therapist_excluded',
    ]);
  });

  it('frees the assigned patients, excludes the therapist and resumes the search of those in therapy', async () => {
    await world.register(1, { zugewiesener_therapeut: 100, status: 'in_Therapie' });
    await world.register(2, { zugewiesener_therapeut: 100 });
    await world.register(3, { zugewiesener_therapeut: 101, status: 'in_Therapie' });

    expect(await consume(blocked(100))).toMatchObject({ outcome: 'applied', count: 2 });

    expect(await world.patient(1)).toMatchObject({
      zugewiesener_therapeut: null,
      status: 'auf_der_Suche',
      ausgeschlossene_therapeuten: [{ id: 100, reason: 'therapist_blocked' }],
    });
    expect(await world.events(1)).toEqual([
      'patient.created',
      'patient.updated',
      'patient.status_changed',
      'patient.therapist_excluded',
    ]);
    expect((await world.patient(2)).status).toBe('offen');
    expect(await world.patient(3)).toMatchObject({ zugewiesener_therapeut: 101, status: 'in_Therapie' });
  });

  it("leaves a patient's own exclusion as it is, through unblocking too", async () => {
    const own = { id: 200, reason: 'knows him' };
    await world.register(4, { zugewiesener_therapeut: 200, ausgeschlossene_therapeuten: [own] });
    await consume(blocked(200));
    await consume(unblocked(200));
    expect((await world.patient(4)).ausgeschlossene_therapeuten).toMatchObject([own]);
  });

  it('is undone by unblocking, but for the assignment', async () => {
    await world.register(5, { zugewiesener_therapeut: 300, status: 'in_Therapie' });
    await consume(blocked(300));
    await consume(unblocked(300));
    expect(await world.patient(5)).toMatchObject({
      zugewiesener_therapeut: null,
      ausgeschlossene_therapeuten: [],
      status: 'auf_der_Suche',
    });
  });

  it('does nothing when it comes again after later events', async () => {
    await world.register(6, { zugewiesener_therapeut: 400 });
    const event = blocked(400);
    await consume(event);
    await consume(unblocked(400));
    await world.register(7, { zugewiesener_therapeut: 400 });

    expect(await consume(event)).toMatchObject({ outcome: 'duplicate' });

    expect((await world.patient(7)).zugewiesener_therapeut).toBe(400);
  });

  it('reaches hundreds of patients in pages, also after a crash in the middle', async () => {
    const ids = Array.from({ length: 250 }, (_, n) => 1_000 + n);
    await Promise.all(ids.map((id) => world.register(id, { zugewiesener_therapeut: 500 })));
    const event = blocked(500);
    let calls = 0;
    const crashing = therapistEffect(
      world.db,
      () => {
        calls += 1;
        if (calls > 120) throw new Error('crash');
        return LATER;
      },
      testLog(),
    );
    await expect(crashing.apply(readEnvelope(Buffer.from(JSON.stringify(event)), LATER))).rejects.toThrow(
      'crash',
    );

    await consume(event);

    const patients = await Promise.all(ids.map((id) => world.patient(id)));
    expect(patients.every(({ zugewiesener_therapeut }) => zugewiesener_therapeut === null)).toBe(true);
    expect(new Set(await Promise.all(ids.map((id) => world.sequence(id))))).toEqual(new Set([3]));
  });

  it('refuses a payload without a therapist', async () => {
    const event = aForeignEvent('therapist.blocked', { therapist_data: {} });
    await expect(consume(event)).rejects.toMatchObject({ code: 'event.invalid_payload' });
  });
});

/** Makes a patient whom no change can be stored for, until it is mended. @returns mends it */
async function unchangeable(id: number): Promise<() => Promise<unknown>> {
  const doc = world.db.doc(`patients/${id}`);
  const remark = (await doc.get()).get('symptome') as unknown;
  await doc.update({ symptome: ['x'.repeat(256 * 1024)] });
  return () => doc.update({ symptome: remark });
}

const assigned = async (id: number) => (await world.patient(id)).zugewiesener_therapeut;

describe('a patient who cannot be changed', () => {
  it('is reported, keeps no other from their change, and is the only one whom the replay visits', async () => {
    for (const id of [11, 12, 13]) await world.register(id, { zugewiesener_therapeut: 600 });
    const mend = await unchangeable(12);
    const event = blocked(600);

    await expect(consume(event)).rejects.toMatchObject({
      code: 'event.patients_left',
      retriable: false,
      message: 'The event could not be applied to patient 12',
    });
    expect([await assigned(11), await assigned(12), await assigned(13)]).toEqual([null, 600, null]);
    expect(lines.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({ patient_id: 12, therapist_id: 600, event_id: event.eventId }),
    );
    expect(lines.join('')).not.toContain('xxx');

    // Staff, who were told, have assigned another patient since: the replay is not about them.
    await world.register(14, { zugewiesener_therapeut: 600 });
    await expect(consume(event)).rejects.toMatchObject({ code: 'event.patients_left' });
    await mend();
    expect(await consume(event)).toMatchObject({ outcome: 'applied', count: 1 });
    expect([await assigned(12), await assigned(14)]).toEqual([null, 600]);
    expect(await consume(event)).toMatchObject({ outcome: 'duplicate' });
  });
});

describe('a replay', () => {
  it('of a blocking that was buried, after the unblocking, blocks nobody again', async () => {
    for (const id of [21, 22]) await world.register(id, { zugewiesener_therapeut: 700 });
    const mend = await unchangeable(22);
    const event = blocked(700);
    await expect(consume(event)).rejects.toMatchObject({ code: 'event.patients_left' });
    await consume(unblocked(700));
    await mend();
    const sequences = [await world.sequence(21), await world.sequence(22)];

    expect(await consume(event)).toMatchObject({ outcome: 'outdated' });
    expect(await consume(event)).toMatchObject({ outcome: 'duplicate' });

    expect([await world.sequence(21), await world.sequence(22)]).toEqual(sequences);
    expect((await world.patient(21)).ausgeschlossene_therapeuten).toEqual([]);
    expect((await world.patient(22)).ausgeschlossene_therapeuten).toEqual([]);
  });

  it('of an unblocking that was buried, after another blocking, unblocks nobody', async () => {
    await world.register(23, { zugewiesener_therapeut: 710 });
    await consume(blocked(710));
    const mend = await unchangeable(23);
    const event = unblocked(710);
    await expect(consume(event)).rejects.toMatchObject({ code: 'event.patients_left' });
    await mend();
    await consume(blocked(710));

    expect(await consume(event)).toMatchObject({ outcome: 'outdated' });

    expect((await world.patient(23)).ausgeschlossene_therapeuten).toMatchObject([{ id: 710 }]);
  });

  it('has the place of its first delivery also where its payload could not be read then', async () => {
    await world.register(24, { zugewiesener_therapeut: 720 });
    const event = blocked(720);
    const broken = { ...event, payload: { therapist_id: 720, therapist_data: 'later versions may read it' } };
    await expect(consume(broken)).rejects.toMatchObject({ code: 'event.invalid_payload' });
    await consume(unblocked(720));

    expect(await consume(event)).toMatchObject({ outcome: 'outdated' });

    expect(await assigned(24)).toBe(720);
  });

  it('is not outdated by a later event that could not be applied, nor by one of another therapist', async () => {
    await world.register(25, { zugewiesener_therapeut: 730 });
    await world.register(26, { zugewiesener_therapeut: 731 });
    const mend = await unchangeable(25);
    const event = blocked(730);
    await expect(consume(event)).rejects.toMatchObject({ code: 'event.patients_left' });
    const broken = aForeignEvent('therapist.unblocked', { therapist_id: 730, reason: 7 });
    await expect(consume(broken)).rejects.toMatchObject({ code: 'event.invalid_payload' });
    await consume(blocked(731));
    await mend();

    expect(await consume(event)).toMatchObject({ outcome: 'applied', count: 1 });

    expect(await assigned(25)).toBeNull();
  });

  it('of an event that was complete before events had turns is a duplicate', async () => {
    await world.register(27, { zugewiesener_therapeut: 740 });
    const event = blocked(740);
    await world.db.doc(`applied_events/${event.eventId}`).set({ expires_at: new Date(2027, 0, 1) });
    expect(await consume(event)).toMatchObject({ outcome: 'duplicate' });
    expect(await assigned(27)).toBe(740);
  });
});

it('applies events of two therapists to the same patient at once', async () => {
  await world.register(31, {
    zugewiesener_therapeut: 800,
    ausgeschlossene_therapeuten: [{ id: 801, reason: 'therapist_blocked' }],
  });
  const [one, other] = [blocked(800), unblocked(801)];
  await Promise.all([consume(one), consume(other)]);
  await Promise.all([consume(one), consume(other)]);
  expect(await world.patient(31)).toMatchObject({
    zugewiesener_therapeut: null,
    ausgeschlossene_therapeuten: [{ id: 800, reason: 'therapist_blocked' }],
  });
  expect(await world.sequence(31)).toBeLessThanOrEqual(5);
});
