/** What a POST answers when the database took its patient and the answer to that was lost. */
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { aNewPatient, AUTUMN } from '../../test/support/builders.ts';
import { documents } from '../../test/support/import-world.ts';
import { repeatNextCommit } from '../../test/support/lost-answer.ts';
import { patientsWorld } from '../../test/support/patients-world.ts';
import type { IdempotentRequest } from './idempotency-keys.ts';
import { createPatient } from './patient-creation.ts';
import { createPatientIds } from './patient-ids.ts';

afterEach(() => vi.restoreAllMocks());

it.each<[string, Record<string, unknown>, IdempotentRequest | undefined]>([
  ['nothing that tells it from another', {}, undefined],
  ['a payment reference', { zahlungsreferenz: 'abcd1234' }, undefined],
  ['an idempotency key', {}, { keyHash: 'a'.repeat(64), bodyHash: 'b'.repeat(64) }],
])('with %s, it is one patient, and new', async (_, fields, request) => {
  const { db } = patientsWorld();
  onTestFinished(() => db.terminate());
  const allocate = createPatientIds(db, async () => undefined);
  // Leases a block, which is a commit too.
  await allocate();
  repeatNextCommit();

  const author = { actor: 'staff-1', role: 'staff', method: 'POST', route: '/api/patients' };
  const { stored, audit } = await createPatient(db, allocate, aNewPatient(fields), request, AUTUMN, author);

  expect(audit).toMatchObject({ ...author, patientId: stored.patient.id });
  expect((await documents(db, 'audit_trail')).map(({ id }) => id)).toEqual([audit!.auditId]);
  const patients = await documents(db, 'patients');
  expect(patients.map(({ id }) => Number(id))).toEqual([stored.patient.id]);
  expect(await documents(db, 'outbox')).toHaveLength(1);
});
