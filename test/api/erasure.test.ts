/** Erasing a person: no data is left, whatever they had sent and however often the erasure was interrupted. */
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { patientId, type PatientId } from '../../shared/patient/schema.ts';
import { utcTimestamp } from '../../shared/platform/clock.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { archivePath } from '../../shared/registration/archive.ts';
import { completeErasures } from '../../shared/registration/erase-patient.ts';
import { importObject } from '../../shared/registration/import-object.ts';
import { addCommunication } from '../../shared/store/communication-history.ts';
import { beginErasure } from '../../shared/store/erasures.ts';
import {
  importDoc,
  noteArchived,
  recordIdOf,
  type ImportRecord,
  type RecordId,
} from '../../shared/store/imports.ts';
import { hashToken } from '../../shared/store/registration-tokens.ts';
import { aBody, startApi, type Api } from '../support/api.ts';
import { BY_ADMIN, aRegistration } from '../support/builders.ts';
import { documents, importWorld, objectNames } from '../support/import-world.ts';
import { everything, tracesOf } from '../support/person.ts';

const TOKEN = 'e7a9e7a9c0ffee00c0ffee00c0ffee00';
const registration = () =>
  aRegistration(
    { vorname: 'Wilhelmine', nachname: 'Suchnichtmehr', email: 'w.s@example.org', telefon: '+4922199887766' },
    { registration_token: TOKEN },
  );
const person = [
  'Wilhelmine',
  'Suchnichtmehr',
  'w.s@example.org',
  '99887766',
  TOKEN,
  TOKEN.slice(0, 8),
  'wilh',
];

let api: Api;
let world: Awaited<ReturnType<typeof importWorld>>;
let id: PatientId;

/** A person with every kind of data: a file, a duplicate, failed attempts, a history, changes, mails. */
beforeEach(async () => {
  api = await startApi();
  const { db, bucket } = api.deps;
  world = {
    ...(await importWorld({ db, bucket, allocatePatientId: api.deps.allocatePatientId })),
    db,
  };
  const drop = async (content: unknown) => importObject(world.deps, await upload(content));
  expect(await drop({ ...registration(), unknown_key: 1 })).toBe('failed');
  expect(await drop(registration())).toBe('imported');
  expect(await drop(registration())).toBe('duplicate');
  expect(await drop({ ...registration(), consent_metadata: 'none' })).toBe('failed');
  expect(await importObject(world.deps, await upload(registration(), 'anmeldung.txt'))).toBe('failed');
  const [patient] = await documents(api.db, 'patients');
  id = Number(patient!.id) as PatientId;
  await talk(3);
  await api.send('PATCH', `/api/patients/${id}`, { body: { hausarzt: 'Dr. Suchnichtmehr' } });
  expect(tracesOf(person, await everything(api.db, world.bucket)).length).toBeGreaterThan(10);
});

async function talk(entries: number) {
  const batch = api.db.batch();
  for (let entry = 0; entry < entries; entry += 1) {
    addCommunication(api.db, batch, id, {
      event_id: `event-${entry}-of-${entries}`,
      event_type: 'email.sent',
      occurred_at: '2026-11-01T10:00:00.000Z',
      reference_id: `${entry} of ${entries}`,
      data: { email_data: { to: 'w.s@example.org' } },
    });
  }
  await batch.commit();
}

async function upload(content: unknown, fileName = `${crypto.randomUUID()}.json`) {
  const name = `incoming/${fileName}`;
  const file = world.bucket.file(name);
  await file.save(JSON.stringify(content), { resumable: false, contentType: 'application/json' });
  return {
    name,
    generation: String(file.metadata.generation),
    bytes: Number(file.metadata.size),
    uploadedAt: systemClock(),
  };
}

async function expectNothingLeft() {
  expect(tracesOf(person, await everything(api.db, world.bucket))).toEqual([]);
  expect(await documents(api.db, 'erasures')).toEqual([]);
  expect(await documents(api.db, 'imports')).toEqual([]);
  expect(await objectNames(world.bucket)).toEqual([]);
  const left = await documents(api.db, 'outbox');
  const events = left.filter((entry) => entry['kind'] === 'kafka');
  expect(events.map((entry) => [entry['event_type'], entry['sequence']])).toEqual([['patient.deleted', 3]]);
  expect(JSON.parse(String(events[0]!['envelope'])).payload).toEqual({
    patient_id: id,
    id,
    additional_data: { id },
  });
}

describe('DELETE', () => {
  it('leaves no document, object or outbox payload of the person, and publishes patient.deleted last', async () => {
    expect(await api.send('DELETE', `/api/patients/${id}`)).toMatchObject({ status: 204, body: '' });
    await expectNothingLeft();
    expect((await api.send('GET', `/api/patients/${id}`)).status).toBe(404);
    expect((await api.send('GET', `/api/patients/${id}/communication`)).status).toBe(404);
    expect((await api.send('DELETE', `/api/patients/${id}`)).status).toBe(404);
    expect(tracesOf(person, new Map([['log', api.lines.join('')]]))).toEqual([]);
  });

  it("deletes the person's failed files that do not have their token", async () => {
    const { patient_data: fieldsOfFile, ...rest } = registration();
    const patient_data: Record<string, unknown> = fieldsOfFile;
    const { registration_token: _, ...tokenless } = rest;
    for (const [fields, more] of [
      [{}, tokenless],
      [{}, { ...rest, registration_token: 'broken' }],
      [{ email: null }, tokenless],
      [{ email: 'w.s@exmaple' }, tokenless],
      [{ geburtsdatum: '31.12.1990' }, tokenless],
      [{ vorname: null, nachname: 'S.' }, tokenless],
    ] as const) {
      const content = { ...more, patient_data: { ...patient_data, ...fields } };
      expect(await importObject(world.deps, await upload(content))).toBe('failed');
    }
    const relative = {
      ...tokenless,
      patient_data: { ...patient_data, vorname: 'Tom', geburtsdatum: '2015-01-01' },
    };
    const stranger = {
      ...tokenless,
      patient_data: { ...patient_data, vorname: 'Eva', email: 'e@example.org' },
    };
    expect(patient_data['geburtsdatum']).toMatch(/^\d{4}-/);
    for (const content of [relative, stranger]) {
      expect(await importObject(world.deps, await upload(content))).toBe('failed');
    }
    const keys = (await documents(api.db, 'imports')).flatMap(
      (record) => (record['person_keys'] ?? []) as string[],
    );
    expect(keys.length).toBeGreaterThan(10);
    expect(keys.every((key) => /^[0-9a-f]{64}$/.test(key))).toBe(true);

    expect((await api.send('DELETE', `/api/patients/${id}`)).status).toBe(204);
    expect(await documents(api.db, 'imports')).toHaveLength(2);
    expect(await objectNames(world.bucket)).toHaveLength(4);
    expect(tracesOf(['Wilhelmine'], await everything(api.db, world.bucket))).toEqual([]);
  });

  it('is in the ledger, with id and date only, before patient.deleted can be sent', async () => {
    await beginErasure(api.db, id, systemClock(), BY_ADMIN);
    expect(await api.events(id)).toEqual([]);
    await completeErasures(api.deps);
    const [entry] = (await world.bucket.getFiles({ prefix: 'erasures/' }))[0];
    expect(entry!.name).toBe(`erasures/${id}.json`);
    expect(Object.keys(JSON.parse(String((await entry!.download())[0])))).toEqual([
      'patient_id',
      'erased_on',
    ]);
    await expectNothingLeft();
  });

  it('publishes nothing while the ledger cannot be written, and completes once it can', async () => {
    await beginErasure(api.db, id, systemClock(), BY_ADMIN);
    const bucket = connectBucket({ ...api.config, STORAGE_EMULATOR_HOST: 'http://127.0.0.1:9' });
    expect(await completeErasures({ ...api.deps, bucket })).toBe(0);
    expect(await api.events(id)).toEqual([]);
    expect(await completeErasures(api.deps)).toBe(1);
    await expectNothingLeft();
  });

  it('deletes a long history', async () => {
    await talk(305);
    expect((await api.send('DELETE', `/api/patients/${id}`)).status).toBe(204);
    await expectNothingLeft();
  });

  it('completes an erasure that was interrupted', async () => {
    await beginErasure(api.db, id, systemClock(), BY_ADMIN);
    expect((await api.send('GET', `/api/patients/${id}`)).status).toBe(404);
    expect((await api.send('DELETE', `/api/patients/${id}`)).status).toBe(204);
    await expectNothingLeft();
  });

  it('may be sent twice concurrently', async () => {
    const answers = await Promise.all([1, 2].map(() => api.send('DELETE', `/api/patients/${id}`)));
    expect(answers.map((answer) => answer.status)).toContain(204);
    await expectNothingLeft();
  });

  it('deletes a recorded file that is not moved yet', async () => {
    const dropped = await upload(registration());
    // The state after a crash between record and move.
    const recordId = recordIdOf(world.bucket.name, dropped.name, dropped.generation);
    const record: ImportRecord = {
      outcome: 'duplicate',
      patient_id: id,
      token_sha256: hashToken(TOKEN),
      reason: null,
      violations: [],
      archive_path: archivePath('processed', recordId, dropped.uploadedAt),
      archived_at: null,
      received_at: utcTimestamp(dropped.uploadedAt),
      uploaded_at: utcTimestamp(dropped.uploadedAt),
    };
    await importDoc(api.db, recordId).create(record);
    expect(await objectNames(world.bucket)).toContain(dropped.name);
    expect((await api.send('DELETE', `/api/patients/${id}`)).status).toBe(204);
    await expectNothingLeft();
  });
});

describe('an import that moves its file during the erasure', () => {
  it('leaves no copy behind, although it was not there when the erasure looked for it', async () => {
    const moved = (await documents(api.db, 'imports')).find(({ outcome }) => outcome === 'imported');
    const { id: recordId, archive_path: path } = moved as { id: RecordId; archive_path: string };
    const client = await api.deps.bucket.client();
    const [content] = await client.file(path).download();
    const file = client.file.bind(client);
    let copies = 0;
    vi.spyOn(client, 'file').mockImplementation((name, options) => {
      const found = file(name, options);
      if (name !== path) return found;
      const remove = found.delete.bind(found);
      return Object.assign(found, {
        async delete() {
          const answer = await remove();
          if ((copies += 1) === 1) {
            await file(path).save(content, { resumable: false });
            expect(await noteArchived(api.db, recordId, systemClock())).toBe(true);
          }
          return answer;
        },
      });
    });
    onTestFinished(() => void vi.restoreAllMocks());

    expect((await api.send('DELETE', `/api/patients/${id}`)).status).toBe(204);

    expect(copies).toBe(2);
    await expectNothingLeft();
  });
});

describe('the scheduled check', () => {
  it('completes an erasure that was interrupted', async () => {
    await beginErasure(api.db, id, systemClock(), BY_ADMIN);
    expect(await completeErasures(api.deps)).toBe(1);
    await expectNothingLeft();
    expect(await completeErasures(api.deps)).toBe(0);
  });

  it('completes it although 100 that were requested before fail each time', async () => {
    const { id: waiting } = await api.create();
    const failing = Array.from({ length: 100 }, (_, n) => 10_000_000 + n);
    const batch = api.db.batch();
    for (const patient_id of failing) {
      const requested_at = '2026-11-01T09:00:00.000Z';
      const job = { patient_id, requested_at, tried_at: requested_at, token_hashes: [], announced: true };
      batch.create(api.db.doc(`erasures/${patient_id}`), job);
    }
    await batch.commit();
    await beginErasure(api.db, patientId.parse(waiting), systemClock(), BY_ADMIN);
    const client = await api.deps.bucket.client();
    const file = client.file.bind(client);
    vi.spyOn(client, 'file').mockImplementation((name, options) => {
      if (name.startsWith('erasures/1000')) throw new Error('not written');
      return file(name, options);
    });
    onTestFinished(() => void vi.restoreAllMocks());

    expect(await completeErasures(api.deps)).toBe(0);
    expect(await completeErasures(api.deps)).toBe(1);
    expect((await api.db.doc(`erasures/${waiting}`).get()).exists).toBe(false);
  });
});

describe('after an erasure', () => {
  beforeEach(async () => {
    await api.send('DELETE', `/api/patients/${id}`);
  });

  it('neither the same file nor another with its token creates a patient', async () => {
    expect(await importObject(world.deps, await upload(registration()))).toBe('erased');
    expect(await documents(api.db, 'patients')).toEqual([]);
    expect(tracesOf(person, await everything(api.db, world.bucket))).toEqual([]);
  });

  it('the payment reference is free for a registration with another token', async () => {
    const other = aRegistration({}, { registration_token: `${TOKEN.slice(0, 8)}${'1'.repeat(24)}` });
    expect(await importObject(world.deps, await upload(other))).toBe('imported');
  });
});

describe('an Idempotency-Key of an erased patient', () => {
  it('gets 410, and its record contains nothing of the request', async () => {
    const send = () =>
      api.send('POST', '/api/patients', { body: aBody(), headers: { 'idempotency-key': 'once' } });
    const { body } = await send();
    await api.send('DELETE', `/api/patients/${body.id}`);
    expect((await send()).status).toBe(410);
    const [key] = await documents(api.db, 'idempotency_keys');
    expect(Object.keys(key!).sort()).toEqual(['erased', 'expires_at', 'id']);
  });
});
