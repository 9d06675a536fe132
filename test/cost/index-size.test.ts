/** The number of index entries per person, so that growth is noticed. docs/cost.md states the same number. */
import { readFile } from 'node:fs/promises';
import { Firestore } from '@google-cloud/firestore';
import { expect, it } from 'vitest';
import type { IndexFile } from '../../infra/checks/indexes.ts';
import { registerPatient } from '../../shared/patient/change.ts';
import { patientId } from '../../shared/patient/schema.ts';
import type { Writer } from '../../shared/store/firestore.ts';
import { addPatient } from '../../shared/store/patients.ts';
import { AUTUMN, aNewPatient, aRegistration } from '../support/builders.ts';
import { storedSize } from '../support/index-size.ts';

const file = JSON.parse(
  await readFile(new URL('../../infra/firestore.indexes.json', import.meta.url), 'utf8'),
) as IndexFile;

it('of a registered person has 58 entries', () => {
  const names = { vorname: 'Anna-Lena', nachname: 'Schmidt', email: 'anna.schmidt84@gmail.com' };
  const fields = aNewPatient({ ...aRegistration(names).patient_data });
  const stored: Record<string, object> = {};
  const writer = {
    create: ({ path }: { path: string }, data: object) => (stored[path] = data),
  } as unknown as Writer;
  const created = registerPatient(patientId.parse(1_000_001), fields, AUTUMN);
  addPatient(new Firestore({ projectId: 'index-size' }), writer, created, AUTUMN);
  const patient = stored['patients/1000001'] as Record<string, unknown>;
  expect(storedSize('patients', '1000001', patient, file)).toEqual({
    documentBytes: 1265,
    singleField: 1,
    composite: 57,
    indexBytes: 7122,
  });
});
