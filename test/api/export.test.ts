/** The data a person may request: the consent, and everything stored about them. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Firestore } from '@google-cloud/firestore';
import { getRequestListener } from '@hono/node-server';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { answerSchemas } from '../../functions/patients-api/schemas.ts';
import type { PatientId } from '../../shared/patient/schema.ts';
import { utcTimestamp } from '../../shared/platform/clock.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { keysOfFile } from '../../shared/store/person-keys.ts';
import { addConsent } from '../../shared/store/consents.ts';
import { beginErasure } from '../../shared/store/erasures.ts';
import { importDoc, toImportDocument, type RecordId } from '../../shared/store/imports.ts';
import { addCount, counterOf, emptyCount } from '../../shared/store/mail-counts.ts';
import { addMail } from '../../shared/store/outbox.ts';
import { addToken, hashToken } from '../../shared/store/registration-tokens.ts';
import { identifyingPairs } from '../../shared/patient/identity.ts';
import { aBody, startApi, type Api } from '../support/api.ts';
import { BY_ADMIN } from '../support/builders.ts';
import { runOpsHere } from '../support/ops.ts';
import { addHistory } from '../support/long-history.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi({ KAFKA_RETENTION_DAYS: '3' });
});
afterEach(() => vi.restoreAllMocks());

const now = utcTimestamp(systemClock());
const consent = {
  consent_metadata: { ip_address: '198.51.100.7', nested: [[1]] },
  registration_timestamp: null,
};

/** A patient with data in every place. */
async function aKnownPerson(): Promise<PatientId> {
  const headers = { 'idempotency-key': 'export-1' };
  const person = { email: 'lena@example.org', geburtsdatum: '1991-04-02' };
  const body = aBody({ zahlungsreferenz: 'expo0001', ...person });
  const { id } = (await api.send('POST', '/api/patients', { body, headers })).body;
  const batch = api.db.batch();
  addConsent(api.db, batch, id, { ...consent, stored_at: now });
  addToken(api.db, batch, hashToken('expo0001aa'), id);
  addMail(
    api.db,
    batch,
    { path: '/api/emails', body: { betreff: 'Hallo' }, idempotencyKey: `mail-${id}` },
    id,
  );
  const record = {
    token_sha256: null,
    reason: null,
    violations: [],
    archived_at: now,
    received_at: now,
    uploaded_at: now,
  };
  const imported = {
    ...record,
    outcome: 'imported',
    patient_id: id,
    archive_path: 'processed/a.json',
  } as const;
  const failed = {
    ...record,
    outcome: 'failed',
    patient_id: null,
    reason: 'import.reference_taken',
    token_sha256: hashToken('expo0001aa'),
    archive_path: 'failed/b.json',
  } as const;
  // Has no token of the person, so only the identifying fields connect it to them.
  const broken = {
    ...failed,
    reason: 'import.invalid',
    token_sha256: null,
    person_keys: await keysOfFile(api.db, identifyingPairs({ ...person, nachname: 'Anders' })),
    archive_path: 'failed/c.json',
  } as const;
  const anothers = {
    ...broken,
    person_keys: await keysOfFile(api.db, identifyingPairs({ ...person, geburtsdatum: '2011-01-01' })),
    archive_path: 'failed/d.json',
  };
  addCount(api.db, batch, emptyCount(counterOf(person.email)), systemClock());
  batch.set(importDoc(api.db, 'c' as RecordId), toImportDocument(broken, systemClock()));
  batch.set(importDoc(api.db, 'd' as RecordId), toImportDocument(anothers, systemClock()));
  batch.set(importDoc(api.db, 'a' as RecordId), toImportDocument(imported, systemClock()));
  batch.set(importDoc(api.db, 'b' as RecordId), toImportDocument(failed, systemClock()));
  await batch.commit();
  await addHistory(api.db, id, 3);
  return id;
}

describe('the consent', () => {
  it('is returned as stored', async () => {
    const { id } = await api.create();
    const batch = api.db.batch();
    addConsent(api.db, batch, id, { ...consent, stored_at: now });
    await batch.commit();
    const { status, body } = await api.send('GET', `/api/patients/${id}/consent`, { role: 'staff' });
    expect([status, body]).toEqual([200, { ...consent, stored_at: now }]);
    expect((await api.send('GET', `/api/patients/${id}/consent`, { role: 'reader' })).status).toBe(403);
  });

  it('has a different problem when it was never given than when the patient does not exist', async () => {
    const { id } = await api.create();
    const typeAt = async (of: number) => {
      const { status, body } = await api.send('GET', `/api/patients/${of}/consent`);
      return [status, body.type];
    };
    expect(await typeAt(id)).toEqual([404, 'urn:patient-service:problem:patient.no_consent']);
    expect(await typeAt(999_999)).toEqual([404, 'urn:patient-service:problem:patient.not_found']);
  });
});

describe('the export', () => {
  it('contains everything that is stored and matches its schema', async () => {
    const id = await aKnownPerson();
    const before = api.lines.length;
    const { status, body, headers } = await api.send<unknown>('GET', `/api/patients/${id}/export`);
    expect([status, headers.get('content-disposition'), headers.get('cache-control')]).toEqual([
      200,
      'attachment',
      'no-store',
    ]);
    expect(answerSchemas.PatientExport.strict().parse(body)).toEqual(body);
    expect(body).toMatchObject({
      patient_id: id,
      patient: { nachname: 'Beispiel' },
      consent,
      payment_reference: 'expo0001',
      registration_token_sha256: [hashToken('expo0001aa')],
      imports: [
        { archive_path: 'processed/a.json' },
        { archive_path: 'failed/b.json', outcome: 'failed' },
        { archive_path: 'failed/c.json', outcome: 'failed' },
      ],
      confirmation_mails_sent: [expect.any(String)],
      idempotency_keys: [{}],
      copies: expect.arrayContaining([{ place: expect.stringContaining('Kafka'), days: 3 }]),
      waiting_mails: [{ body: { betreff: 'Hallo' } }],
      waiting_events: [{ eventType: 'patient.created' }],
      communication: [{ reference_id: 'm-0' }, { reference_id: 'm-1' }, { reference_id: 'm-2' }],
    });
    const audited = api.lines
      .slice(before)
      .map((line) => JSON.parse(line))
      .filter(({ message }) => message === 'audit');
    expect(audited).toEqual([expect.objectContaining({ outcome: 'answered', patient_ids: [id] })]);

    const environment = {
      ...process.env,
      GOOGLE_CLOUD_PROJECT: api.config.GOOGLE_CLOUD_PROJECT,
      KAFKA_RETENTION_DAYS: '3',
    };
    const ran = await runOpsHere(environment, `patient export ${id}`);
    expect(ran.code).toBe(0);
    const same = { ...(body as object), exported_at: expect.any(String) };
    expect(ran.json()).toEqual(same);
  });

  it('requires the role admin and an existing patient', async () => {
    expect((await api.send('GET', '/api/patients/999999/export')).status).toBe(404);
    expect((await api.send('GET', '/api/patients/1/export', { role: 'staff' })).status).toBe(403);
  });

  it('reads a long history page by page, as fast as the client receives it', async () => {
    const { id } = await api.create();
    await addHistory(api.db, id, 2000);
    let queries = 0;
    onStream((method) => void (method === 'runQuery' && (queries += 1)));
    const { body } = await get(id);
    const reader = body!.getReader();
    await reader.read();
    const whenBegun = queries;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(queries).toBe(whenBegun);

    const pieces: Uint8Array[] = [];
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) pieces.push(piece.value);
    const bytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    expect(pieces.length).toBeGreaterThanOrEqual(10);
    expect(Math.max(...pieces.map((piece) => piece.byteLength))).toBeLessThan(bytes / 8);
    expect(queries - whenBegun).toBeLessThanOrEqual(11);
  });

  it('cuts the connection without a proper end when it fails half-way', async () => {
    const { id } = await api.create();
    await addHistory(api.db, id, 500);
    let queries = 0;
    onStream((method, args) => {
      if (method !== 'runQuery' || !JSON.stringify(args).includes('communication')) return;
      queries += 1;
      if (queries > 2) throw Object.assign(new Error('away'), { code: 14 });
    });
    const listener = getRequestListener(api.app.fetch);
    const server = createServer((request, response) => void listener(request, response));
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/patients/${id}/export`;
    const response = await fetch(url, { headers: { authorization: `Bearer ${api.issuer.tokens.admin}` } });
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
    server.close();
    server.closeAllConnections();
  });

  it('cuts the connection when the person is erased meanwhile', async () => {
    const { id } = await api.create();
    await addHistory(api.db, id, 500);
    const { body } = await get(id);
    const reader = body!.getReader();
    await reader.read();
    await beginErasure(api.db, id, systemClock(), BY_ADMIN);
    const rest = async () => {
      while (!(await reader.read()).done);
    };
    await expect(rest()).rejects.toThrow('cut off');
  });
});

const get = (id: number) =>
  api.app.request(`/api/patients/${id}/export`, {
    headers: { authorization: `Bearer ${api.issuer.tokens.admin}` },
  });

/** Called before each streaming call to Firestore. If it throws, the call fails. */
function onStream(before: (method: string, args: readonly unknown[]) => void): void {
  const client = Firestore.prototype as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  const original = client['requestStream']!;
  vi.spyOn(client, 'requestStream').mockImplementation(async function (this: unknown, ...args) {
    before(String(args[0]), args);
    return original.apply(this, args);
  });
}
