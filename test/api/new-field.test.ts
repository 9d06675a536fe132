/** Adds a field to the table and checks that patients stored before it are read, changed and published with it. */
import { FieldValue } from '@google-cloud/firestore';
import { beforeAll, expect, it, vi } from 'vitest';
import { openApiDocument } from '../../functions/patients-api/openapi.ts';
import { routes } from '../../functions/patients-api/routes/index.ts';
import { answerSchemas } from '../../functions/patients-api/schemas.ts';
import { patientEventSchema } from '../../shared/events/patient-events.ts';
import { FIELD_NAMES, type Patient, type PatientId } from '../../shared/patient/schema.ts';
import { importObject } from '../../shared/registration/import-object.ts';
import { patientDoc } from '../../shared/store/patients.ts';
import { startApi, type Api } from '../support/api.ts';
import { aRegistration } from '../support/builders.ts';
import { importWorld } from '../support/import-world.ts';

vi.mock('../../shared/patient/fields.ts', async (original) => {
  const { withDefault } = await import('../../shared/patient/field-row.ts');
  const { z } = await import('zod');
  const { fields } = await original<{ fields: object }>();
  const meaning = 'needs an interpreter, see the [glossary](#glossary)';
  const row = withDefault(z.boolean(), { default: false, since: '2026-12-01', meaning });
  return { fields: { ...fields, braucht_dolmetscher: row } };
});

let api: Api;
beforeAll(async () => {
  api = await startApi();
});

/** A patient whose document was stored before the field existed. */
async function anOldPatient(fields: Record<string, unknown> = {}): Promise<PatientId> {
  const { id } = await api.create(fields);
  await patientDoc(api.db, id).update({ braucht_dolmetscher: FieldValue.delete() });
  expect((await patientDoc(api.db, id).get()).get('braucht_dolmetscher')).toBeUndefined();
  return id;
}

function expectWhole(patient: unknown, value: boolean): void {
  expect(Object.keys(patient as object)).toEqual(FIELD_NAMES);
  expect(Object.keys(patient as object).at(-1)).toBe('braucht_dolmetscher');
  expect(answerSchemas.Patient.safeParse(patient).error).toBeUndefined();
  expect(patient).toMatchObject({ braucht_dolmetscher: value });
}

const newest = async (id: PatientId) => (await api.events(id)).at(-1)!;

it('returns an old patient with the default: alone, in the list, in a search and in an export', async () => {
  const id = await anOldPatient({ nachname: 'Altbestand' });
  expectWhole((await api.send('GET', `/api/patients/${id}`)).body, false);
  const page = await api.send<{ data: Patient[] }>('GET', '/api/patients');
  expectWhole(
    page.body.data.find((one) => one.id === id),
    false,
  );
  const found = await api.send<{ data: Patient[] }>('GET', '/api/patients?search=altbest');
  expectWhole(found.body.data[0], false);
  const all = await api.send<{ patient: Patient }>('GET', `/api/patients/${id}/export`);
  expectWhole(all.body.patient, false);
});

it('publishes an old patient with the field after any change, and stores it from then on', async () => {
  const id = await anOldPatient();
  expectWhole((await api.send('PATCH', `/api/patients/${id}`, { body: { ort: 'Ulm' } })).body, false);
  const event = await newest(id);
  expect(patientEventSchema('patient.updated').safeParse(event).error).toBeUndefined();
  expectWhole((event.payload as { patient_data: Patient }).patient_data, false);
  expect((await patientDoc(api.db, id).get()).get('braucht_dolmetscher')).toBe(false);
});

it('treats the default as the stored value of an old patient, so writing it changes nothing', async () => {
  const id = await anOldPatient();
  const before = await newest(id);
  const { status } = await api.send('PATCH', `/api/patients/${id}`, { body: { braucht_dolmetscher: false } });
  expect(status).toBe(200);
  expect(await newest(id)).toEqual(before);
});

it('lets clients write the field and checks its rule', async () => {
  const id = await anOldPatient();
  const path = `/api/patients/${id}`;
  expect((await api.send('PATCH', path, { body: { braucht_dolmetscher: 'ja' } })).body.errors).toEqual([
    { pointer: '/braucht_dolmetscher', detail: 'must be a boolean' },
  ]);
  expectWhole((await api.send('PATCH', path, { body: { braucht_dolmetscher: true } })).body, true);
  expectWhole(await api.create({ braucht_dolmetscher: true }), true);
  expectWhole(await api.create(), false);
});

it('accepts the field in a registration file', async () => {
  const world = await importWorld();
  const file = await world.drop(aRegistration({ braucht_dolmetscher: true }));
  expect(await importObject(world.deps, file)).toBe('imported');
  const { docs } = await world.db.collection('outbox').where('event_type', '==', 'patient.created').get();
  const event = JSON.parse(docs[0]?.get('envelope') as string) as { payload: { patient_data: Patient } };
  expect(patientEventSchema('patient.created').safeParse(event).error).toBeUndefined();
  expectWhole(event.payload.patient_data, true);
});

it('lists the field with its meaning in the API document', () => {
  const { components } = openApiDocument(routes) as {
    components: { schemas: Record<string, { properties: Record<string, object>; required: string[] }> };
  };
  const field = { type: 'boolean', description: 'needs an interpreter, see the glossary' };
  expect(components.schemas['PatientPatch']?.properties['braucht_dolmetscher']).toEqual(field);
  expect(components.schemas['Patient']?.properties['braucht_dolmetscher']).toEqual(field);
  expect(components.schemas['Patient']?.required).toContain('braucht_dolmetscher');
});
