/** How much the first step of an erasure may take at once, and what it leaves to the next. */
import { expect, it } from 'vitest';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { changeDoctor } from '../../test/support/relay-world.ts';
import { patientId } from '../patient/schema.ts';
import { systemClock } from '../platform/clock.ts';
import { announceErasure, beginErasure, erasePending } from './erasures.ts';

it('takes the newest of many large entries, so that the numbers it swallows stand before patient.deleted', async () => {
  const world = patientsWorld();
  const { db } = world;
  const id = patientId.parse(1);
  const reasons = Array.from({ length: 400 }, (_, n) => ({ id: n + 1, reason: 'x'.repeat(450) }));
  await world.register(1, { ausgeschlossene_therapeuten: reasons });
  for (let n = 0; n < 22; n += 1) await changeDoctor(db, 1, `Dr. ${n}`);
  const waiting = async () => {
    const { docs } = await db.collection('outbox').get();
    return docs.map((doc) => Number(doc.get('sequence'))).sort((a, b) => a - b);
  };
  const before = await waiting();

  await beginErasure(db, id, systemClock());

  const left = await waiting();
  expect(left.length).toBeGreaterThan(0);
  expect(left).toEqual(before.slice(0, left.length));

  await erasePending(db, id);
  for (let time = 1; time <= 2; time += 1) await announceErasure(db, id, systemClock());
  expect(await waiting()).toEqual([before.at(-1)! + 1]);
  await erasePending(db, id);
  expect(await waiting()).toHaveLength(1);
});
