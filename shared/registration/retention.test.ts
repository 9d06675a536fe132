import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loseNextAnswer } from '../../test/support/lost-answer.ts';
import { documents, importWorld } from '../../test/support/import-world.ts';
import { aNewPatient } from '../../test/support/builders.ts';
import { changePatient, recordContact, registerPatient } from '../patient/change.ts';
import { patientId } from '../patient/schema.ts';
import { addDays, berlinDateOf, utcTimestamp, type Instant } from '../platform/clock.ts';
import { markDoc } from '../store/fence.ts';
import { addPatient, updatePatient } from '../store/patients.ts';
import { releaseFence } from './restore-fence.ts';
import { eraseLapsed } from './retention.ts';

const days = { unpaid: 30, closed: 60 };
const author = { actor: 'staff', role: 'staff', method: 'PATCH', route: '/' };

let world: Awaited<ReturnType<typeof importWorld>>;
let now: Instant;
beforeEach(async () => {
  world = await importWorld();
  now = world.deps.clock();
});

afterEach(() => vi.restoreAllMocks());

const ago = (days: number) => now.subtract({ hours: 24 * days });

/** @param differing fields as stored, including those that only the service writes */
async function register(id: number, registeredDaysAgo: number, differing: object = {}): Promise<void> {
  const batch = world.db.batch();
  const at = ago(registeredDaysAgo);
  const created = registerPatient(patientId.parse(id), aNewPatient(), at);
  addPatient(world.db, batch, { ...created, patient: { ...created.patient, ...differing } }, at);
  await batch.commit();
}

async function left(): Promise<number[]> {
  const patients = await documents(world.db, 'patients');
  return patients.map(({ id }) => Number(id)).sort((a, b) => a - b);
}

describe('retention', () => {
  it('erases the patients who are due by either rule, and nobody else', async () => {
    const day = (daysAgo: number) => addDays(berlinDateOf(now), -daysAgo);
    const paid = { zahlung_eingegangen: true };
    await register(1, 31);
    await register(2, 30);
    await register(3, 400, { letzter_kontakt: day(30) });
    await register(4, 400, { letzter_kontakt: day(31) });
    await register(5, 5, { letzter_kontakt: day(300) });
    await register(6, 400, paid);
    await register(7, 400, { status: 'auf_der_Suche' });
    await register(8, 400, { ...paid, status: 'Therapie_abgeschlossen' });
    await register(9, 400, { ...paid, status: 'Suche_abgebrochen', letzter_kontakt: day(60) });
    await register(10, 400, { status: 'Therapie_abgebrochen', letzter_kontakt: day(61) });
    await register(11, 400, { status: 'Therapie_abgebrochen', updated_at: utcTimestamp(ago(60)) });
    await register(12, 400, { startdatum: day(390) });
    expect(await eraseLapsed(world.deps, days)).toEqual({ erased: 4, due: 0, paused: null });
    expect(await left()).toEqual([2, 3, 5, 6, 7, 9, 11, 12]);
    const audit = world.logged.map((line) => JSON.parse(line)).filter(({ message }) => message === 'audit');
    expect(
      audit.map((line) => [line.actor, line.route, line.patient_id]).sort((a, b) => a[2] - b[2]),
    ).toEqual([
      ['retention', 'retention unpaid', 1],
      ['retention', 'retention unpaid', 4],
      ['retention', 'retention closed', 8],
      ['retention', 'retention closed', 10],
    ]);
  });

  it('counts and audits an erasure once when its response was lost', async () => {
    await register(1, 400);
    loseNextAnswer();
    expect(await eraseLapsed(world.deps, days)).toEqual({ erased: 1, due: 0, paused: null });
    const audit = world.logged.map((line) => JSON.parse(line)).filter(({ message }) => message === 'audit');
    expect(audit).toHaveLength(1);
    expect((await documents(world.db, 'outbox')).map((entry) => entry['event_type'])).toEqual([
      'patient.deleted',
    ]);
  });

  it('applies one rule when the other is off', async () => {
    await register(1, 400);
    await register(2, 400, { status: 'Suche_abgebrochen' });
    expect(await eraseLapsed(world.deps, { unpaid: undefined, closed: 30 })).toMatchObject({ erased: 1 });
    expect(await left()).toEqual([1]);
    expect(await eraseLapsed(world.deps, { unpaid: undefined, closed: undefined })).toMatchObject({ due: 0 });
    expect(await left()).toEqual([1]);
  });

  it('erases no more than the limit of a run and leaves the rest to the next run', async () => {
    for (let id = 1; id <= 5; id += 1) await register(id, 400);
    expect(await eraseLapsed(world.deps, days, { atMost: 3 })).toEqual({ erased: 3, due: 2, paused: null });
    expect(await left()).toHaveLength(2);
    expect(await eraseLapsed(world.deps, days, { atMost: 3 })).toEqual({ erased: 2, due: 0, paused: null });
  });

  it.each([
    [
      'paid',
      (stored: Parameters<typeof changePatient>[0]) =>
        changePatient(stored, { zahlung_eingegangen: true }, now),
    ],
    [
      'called',
      (stored: Parameters<typeof changePatient>[0]) => recordContact(stored, berlinDateOf(now), now),
    ],
  ])('spares a patient who has %s since the search', async (_, change) => {
    await register(1, 400);
    const run = world.db.runTransaction.bind(world.db);
    const late = vi.spyOn(world.db, 'runTransaction').mockImplementationOnce(async (work, options) => {
      await updatePatient(world.db, patientId.parse(1), now, author, ({ patient }) => change(patient));
      return run(work, options);
    });
    expect(await eraseLapsed(world.deps, days)).toEqual({ erased: 0, due: 0, paused: null });
    expect(late).toHaveBeenCalled();
    expect(await left()).toEqual([1]);
    expect(await documents(world.db, 'erasures')).toEqual([]);
  });

  it('starts no erasure after its deadline', async () => {
    await register(1, 400);
    expect(await eraseLapsed(world.deps, days, { signal: AbortSignal.abort() })).toEqual({
      erased: 0,
      due: 1,
      paused: null,
    });
    expect(await left()).toEqual([1]);
  });

  it('continues after a patient who cannot be erased now', async () => {
    await register(1, 400);
    await register(2, 400);
    vi.spyOn(world.db, 'runTransaction').mockRejectedValueOnce(new Error('a fault of ours'));
    expect(await eraseLapsed(world.deps, days)).toEqual({ erased: 1, due: 1, paused: null });
    expect(await left()).toHaveLength(1);
    expect(await eraseLapsed(world.deps, days)).toEqual({ erased: 1, due: 0, paused: null });
  });

  it('erases nobody while the database is fenced, nor in the month after a restore', async () => {
    await register(1, 400);
    await releaseFence(world.deps, { from: null, until: utcTimestamp(ago(29)) });
    expect(await eraseLapsed(world.deps, days)).toEqual({ erased: 0, due: 1, paused: 'restored' });
    const released = await markDoc(world.db).get();
    await markDoc(world.db).delete();
    expect(await eraseLapsed(world.deps, days)).toEqual({ erased: 0, due: 1, paused: 'fenced' });
    await markDoc(world.db).set({ ...released.data(), lost: [{ from: null, until: utcTimestamp(ago(30)) }] });
    expect(await eraseLapsed(world.deps, days)).toEqual({ erased: 1, due: 0, paused: null });
  });
});
