import { expect, it, vi } from 'vitest';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { patientId } from '../patient/schema.ts';
import { addAuditEntry, newAuditEntry, removeAuditEntry } from './audit-trail.ts';

const author = { actor: 'staff-1', role: 'staff', method: 'PATCH', route: '/api/patients/{id}' };

async function worldWithEntries(count: number) {
  const { db } = patientsWorld();
  const entries = Array.from({ length: count }, (_, at) =>
    newAuditEntry(author, patientId.parse(at + 1), ['hausarzt']),
  );
  const batch = db.batch();
  for (const entry of entries) addAuditEntry(db, batch, entry);
  await batch.commit();
  const left = async () => (await db.collection('audit_trail').get()).size;
  return { db, entries, left };
}

it('removes entries that come during a removal in one request', async () => {
  const { db, entries, left } = await worldWithEntries(20);
  const requests = vi.spyOn(db, 'batch');
  const [first, ...others] = entries;
  const removals = [removeAuditEntry(db, first!)];
  // The first removal begins before the next line.
  await Promise.resolve();
  removals.push(...others.map((entry) => removeAuditEntry(db, entry)));
  await Promise.all(removals);
  expect(requests).toHaveBeenCalledTimes(2);
  expect(await left()).toBe(0);
  await db.terminate();
});

it('removes later entries after a removal has failed', async () => {
  const { db, entries, left } = await worldWithEntries(2);
  vi.spyOn(db, 'batch').mockImplementationOnce(() => {
    throw new Error('unavailable');
  });
  await expect(removeAuditEntry(db, entries[0]!)).rejects.toThrow('unavailable');
  await removeAuditEntry(db, entries[1]!);
  expect(await left()).toBe(1);
  await db.terminate();
});
