/**
 * A commit that happened and whose answer was lost: the client runs the transaction again, which then sees its own write.
 * The result must be that of the run that was committed.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AUTUMN, BY_ADMIN } from '../../test/support/builders.ts';
import { loseNextAnswer } from '../../test/support/lost-answer.ts';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { changePatient } from '../patient/change.ts';
import { patientId } from '../patient/schema.ts';
import { ServiceError } from '../platform/errors.ts';
import { announceErasure, beginErasure } from './erasures.ts';
import { connectFirestore } from './firestore.ts';
import { updatePatient, type StoredPatient } from './patients.ts';

const world = patientsWorld();
const { db } = world;
const author = { actor: 'staff-1', role: 'staff', method: 'PATCH', route: '/api/patients/{id}' };
afterEach(() => vi.restoreAllMocks());

const auditedFields = async (id: number) =>
  (await db.collection('audit_trail').where('patientId', '==', id).get()).docs.map((doc) =>
    doc.get('fields'),
  );

const callDoctor = (hausarzt: string) => (stored: StoredPatient) =>
  changePatient(stored.patient, { hausarzt } as Parameters<typeof changePatient>[1], AUTUMN);

describe('a change whose answer was lost', () => {
  it('has the result of the committed run, one audit entry and its events once', async () => {
    await world.register(1);
    loseNextAnswer();

    const { stored, audit } = await updatePatient(
      db,
      patientId.parse(1),
      AUTUMN,
      author,
      callDoctor('Dr. Probe'),
    );

    expect(stored).toMatchObject({ patient: { hausarzt: 'Dr. Probe' }, sequence: 2 });
    expect(audit).toMatchObject({ actor: 'staff-1', patientId: 1, fields: ['hausarzt'] });
    expect(await auditedFields(1)).toEqual([['hausarzt']]);
    expect(await world.events(1)).toEqual(['patient.created', 'patient.updated']);
  });

  it('is not refused for the version that it has itself made', async () => {
    await world.register(2);
    loseNextAnswer();

    const { stored } = await updatePatient(db, patientId.parse(2), AUTUMN, author, (before) => {
      if (before.sequence !== 1) throw new ServiceError('request.precondition_failed');
      return callDoctor('Dr. Muster')(before);
    });

    expect(stored.sequence).toBe(2);
  });

  it('is known for its own when another process has changed the patient since', async () => {
    await world.register(3);
    const id = patientId.parse(3);
    const another = connectFirestore({ GOOGLE_CLOUD_PROJECT: world.project });
    loseNextAnswer(() => updatePatient(another, id, AUTUMN, author, callDoctor('Dr. Zweit')));

    const { stored, audit } = await updatePatient(db, id, AUTUMN, author, callDoctor('Dr. Erst'));

    expect(stored).toMatchObject({ patient: { hausarzt: 'Dr. Erst' }, sequence: 2 });
    expect(audit).toBeDefined();
    expect((await world.patient(3)).hausarzt).toBe('Dr. Zweit');
    expect(await auditedFields(3)).toHaveLength(2);
  });
});

it('an erasure whose answer was lost is one erasure', async () => {
  await world.register(5);
  loseNextAnswer();

  const { erasure, audit } = await beginErasure(db, patientId.parse(5), AUTUMN, BY_ADMIN);
  vi.restoreAllMocks();
  loseNextAnswer();
  await announceErasure(db, patientId.parse(5), AUTUMN);

  expect(erasure).toMatchObject({ patient_id: 5, requested_by: BY_ADMIN.by });
  expect(audit).toMatchObject({ actor: 'admin-1', patientId: 5 });
  expect(await auditedFields(5)).toEqual([[]]);
  expect(await world.events(5)).toEqual(['patient.deleted']);
});
