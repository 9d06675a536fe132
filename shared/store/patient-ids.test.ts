import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Firestore } from '@google-cloud/firestore';
import { eventually } from '../../test/support/eventually.ts';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { ServiceError } from '../platform/errors.ts';
import { createPatientIds, readNextId } from './patient-ids.ts';

let db: Firestore;
beforeEach(() => ({ db } = patientsWorld()));
afterEach(() => db.terminate());

async function take(allocate: () => Promise<number>, count: number): Promise<number[]> {
  const ids: number[] = [];
  while (ids.length < count) ids.push(await allocate());
  return ids;
}

describe('patient ids', () => {
  it('are leased a block ahead, when half of the last one is used', async () => {
    const allocate = createPatientIds(db, async () => undefined);
    const ids = await take(allocate, 49);
    expect(await readNextId(db)).toBe(101);
    ids.push(await allocate());
    await eventually(async () => expect(await readNextId(db)).toBe(201));
    ids.push(...(await take(allocate, 99)));
    expect(new Set(ids).size).toBe(149);
    expect(await readNextId(db)).toBe(201);
  });

  it('of a block that could not be leased ahead are leased when they are needed', async () => {
    let isAway = false;
    const allocate = createPatientIds(db, async () => {
      if (isAway) throw new ServiceError('storage.unavailable');
      return undefined;
    });
    await take(allocate, 1);
    isAway = true;
    await take(allocate, 99);
    await expect(allocate()).rejects.toMatchObject({ code: 'storage.unavailable' });
    isAway = false;
    expect(await allocate()).toBe(101);
  });
});
