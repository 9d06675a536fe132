/** What becomes of the events that wait for a patient of a restored database. */
import { expect, it } from 'vitest';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { changeDoctor } from '../../test/support/relay-world.ts';
import { patientId } from '../patient/schema.ts';
import { repairPatient, type PublishedState } from './restored-patients.ts';

const id = patientId.parse(1);
const published = (last: number, ids: readonly string[] = [], margin = 0): PublishedState => ({
  last,
  margin,
  deleted: false,
  isPublished: (eventId) => ids.includes(eventId),
  isUnpublished: (eventId) => !ids.includes(eventId),
});

async function threeEvents() {
  const world = patientsWorld();
  await world.register(1);
  for (const name of ['Dr. A', 'Dr. B']) await changeDoctor(world.db, 1, name);
  const waiting = async () => {
    const { docs } = await world.db.collection('outbox').orderBy('sequence').get();
    return docs.map((doc) => ({
      id: doc.id,
      sequence: doc.get('sequence') as number,
      text: doc.get('envelope') as string,
    }));
  };
  return { ...world, waiting };
}

it('removes what was published, renumbers what was not, and changes nothing when it is repeated', async () => {
  const { db, waiting, sequence } = await threeEvents();
  const [first, ...others] = await waiting();
  const state = published(7, [first!.id]);
  expect(await repairPatient(db, id, state)).toEqual({ raised: true, removed: 1, renumbered: 2 });
  const after = await waiting();
  expect(after.map((entry) => [entry.id, entry.sequence])).toEqual(
    others.map((entry, n) => [entry.id, 8 + n]),
  );
  expect(after[0]!.text).toBe(others[0]!.text.replace('"sequence":2', '"sequence":8'));
  expect(await sequence(1)).toBe(9);
  expect(await repairPatient(db, id, state)).toEqual({ raised: false, removed: 0, renumbered: 0 });
});

it('leaves numbers that nobody has taken as they are', async () => {
  const { db, waiting } = await threeEvents();
  const before = await waiting();
  expect(await repairPatient(db, id, published(0))).toEqual({ raised: false, removed: 0, renumbered: 0 });
  expect(await waiting()).toEqual(before);
});

it('leaves room for numbers that the topic has lost', async () => {
  const { db, sequence } = await threeEvents();
  await repairPatient(db, id, published(1, [], 1_000));
  expect(await sequence(1)).toBe(1_006);
});
