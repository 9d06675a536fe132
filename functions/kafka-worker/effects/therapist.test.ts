import { describe, expect, it } from 'vitest';
import { aForeignEvent, LATER, patientsWorld } from '../../../test/support/patients-world.ts';
import { readEnvelope } from '../../../shared/events/envelope.ts';
import { therapistEffect } from './therapist.ts';

const world = patientsWorld();
const effect = therapistEffect(world.db, () => LATER);

const consume = (event: object) => effect.apply(readEnvelope(Buffer.from(JSON.stringify(event)), LATER));
const blocked = (therapist_id: number) =>
  aForeignEvent('therapist.blocked', { therapist_id, therapist_data: {}, reason: 'sick' });
const unblocked = (therapist_id: number) => aForeignEvent('therapist.unblocked', { therapist_id });

describe('blocking a therapist', () => {
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
    const crashing = therapistEffect(world.db, () => {
      calls += 1;
      if (calls > 120) throw new Error('crash');
      return LATER;
    });
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
