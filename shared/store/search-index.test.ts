import { beforeAll, describe, expect, it } from 'vitest';
import { LATER, patientsWorld } from '../../test/support/patients-world.ts';
import { changePatient } from '../patient/change.ts';
import { patchSchema, patientId } from '../patient/schema.ts';
import { gramsOf, wordsOf } from '../patient/search.ts';
import { searchPatients } from './patient-search.ts';
import { patientDoc, updatePatient } from './patients.ts';
import { rebuildSearchIndex, type RebuildProgress } from './search-index.ts';

const world = patientsWorld();
const { db } = world;
const author = { actor: 'a', role: 'staff', method: 'PATCH', route: 'PATCH /api/patients/{id}' };
const doc = (id: number) => patientDoc(db, patientId.parse(id));
const staleGrams = (id: number) => doc(id).update({ '_meta.grams': ['ł'] });
const rebuild = async (after?: number) => {
  let last: RebuildProgress = { looked: 0, rewritten: 0, last: patientId.parse(1) };
  const from = after === undefined ? undefined : patientId.parse(after);
  for await (const progress of rebuildSearchIndex(db, from)) last = progress;
  return last;
};
const found = async (search: string) => {
  const { patients } = await searchPatients(db, undefined, wordsOf(search), { limit: 10, offset: 0 });
  return patients.map(({ id }) => Number(id));
};

beforeAll(async () => {
  for (const id of [1, 2, 3]) await world.register(id, { nachname: `Łukasz${id}` });
});

describe('rebuilding the search index', () => {
  it('finds what the stored index did not, and changes nothing else', async () => {
    const before = (await doc(1).get()).data();
    for (const id of [1, 2]) await staleGrams(id);
    expect(await found('lukasz')).toEqual([3]);
    expect(await rebuild()).toEqual({ looked: 3, rewritten: 2, last: 3 });
    expect((await found('lukasz')).sort()).toEqual([1, 2, 3]);
    expect((await doc(1).get()).data()).toEqual(before);
    expect(await world.events(1)).toEqual(['patient.created']);
  });

  it('again does nothing', async () => {
    expect(await rebuild()).toMatchObject({ looked: 3, rewritten: 0 });
  });

  it('continues behind a patient', async () => {
    for (const id of [1, 3]) await staleGrams(id);
    expect(await rebuild(2)).toMatchObject({ looked: 1, rewritten: 1 });
    expect(await rebuild()).toMatchObject({ looked: 3, rewritten: 1 });
  });

  it('beside writers loses none of their changes', async () => {
    for (const id of [1, 2, 3]) await staleGrams(id);
    const rename = async (id: number) => {
      for (const nachname of ['Erste', 'Zweite', 'Dritte']) {
        const patch = patchSchema.parse({ nachname });
        await updatePatient(db, patientId.parse(id), LATER, author, ({ patient }) =>
          changePatient(patient, patch, LATER),
        );
      }
    };
    await Promise.all([rebuild(), rename(1), rebuild(), rename(2), rebuild()]);
    for (const id of [1, 2, 3]) {
      expect((await doc(id).get()).get('_meta.grams')).toEqual(gramsOf(await world.patient(id)));
      expect((await world.patient(id)).nachname).toBe(id === 3 ? 'Łukasz3' : 'Dritte');
    }
  });

  it('passes over a patient who is erased meanwhile', async () => {
    await staleGrams(3);
    const running = rebuild();
    await doc(3).delete();
    expect((await running).looked).toBeGreaterThanOrEqual(2);
    expect((await doc(3).get()).exists).toBe(false);
  });
});
