/** How much the first step of an erasure may take at once, and what it leaves to the next. */
import type { Firestore } from '@google-cloud/firestore';
import { expect, it } from 'vitest';
import { BY_ADMIN } from '../../test/support/builders.ts';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { changeDoctor, changeFields } from '../../test/support/relay-world.ts';
import { patientId } from '../patient/schema.ts';
import { systemClock } from '../platform/system-clock.ts';
import { announceErasure, beginErasure, erasePending } from './erasures.ts';

it('takes the newest of many large entries, so that the numbers it swallows stand before patient.deleted', async () => {
  const world = patientsWorld();
  const { db } = world;
  const id = patientId.parse(1);
  await world.register(1);
  await makeLarge(db, 1);
  for (let n = 0; n < 22; n += 1) await changeDoctor(db, 1, `Dr. ${n}`);
  const waiting = async () => {
    const { docs } = await db.collection('outbox').get();
    return docs.map((doc) => Number(doc.get('sequence'))).sort((a, b) => a - b);
  };
  const before = await waiting();

  await beginErasure(db, id, systemClock(), BY_ADMIN);

  const left = await waiting();
  expect(left.length).toBeGreaterThan(0);
  expect(left).toEqual(before.slice(0, left.length));

  await erasePending(db, id);
  for (let time = 1; time <= 2; time += 1) await announceErasure(db, id, systemClock());
  expect(await waiting()).toEqual([before.at(-1)! + 1]);
  await erasePending(db, id);
  expect(await waiting()).toHaveLength(1);
});

/** Gives a patient 400 exclusions with long reasons, 100 a change: about 190 KB in each of its events from then on. */
async function makeLarge(db: Firestore, id: number): Promise<void> {
  for (let count = 100; count <= 400; count += 100) {
    const ausgeschlossene_therapeuten = Array.from({ length: count }, (_, n) => ({
      id: n + 1,
      reason: 'x'.repeat(450),
    }));
    await changeFields(db, id, { ausgeschlossene_therapeuten });
  }
}
