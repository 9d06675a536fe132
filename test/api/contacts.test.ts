/** The last contact with a patient, the communication history, and the import status. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pageToken } from '../../functions/patients-api/page-token.ts';
import { importObject } from '../../shared/registration/import-object.ts';
import { addCommunication } from '../../shared/store/communication-history.ts';
import { startApi, type Api } from '../support/api.ts';
import { aRegistration } from '../support/builders.ts';
import { importWorld } from '../support/import-world.ts';

interface History {
  data: { event_id: string; occurred_at: string; data: object }[];
  next_page_token: string | null;
}

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
beforeEach(() => api.at(undefined));

describe('the last contact', () => {
  const note = (id: number, body?: object) =>
    api.send<{ letzter_kontakt: string; errors: { pointer: string }[] }>(
      'PATCH',
      `/api/patients/${id}/last-contact`,
      { role: 'staff', body },
    );

  it('is today in Berlin without a date, with a body or without', async () => {
    api.at('2026-07-14T22:30:00Z');
    const { id } = await api.create();
    expect((await note(id)).body).toEqual({ letzter_kontakt: '2026-07-15' });
    api.at('2026-07-15T22:30:00Z');
    expect((await note(id, {})).body).toEqual({ letzter_kontakt: '2026-07-16' });
  });

  it('never goes back; an earlier date publishes nothing', async () => {
    const { id } = await api.create();
    expect((await note(id, { date: '2026-03-05' })).body).toEqual({ letzter_kontakt: '2026-03-05' });
    expect((await note(id, { date: '2026-03-04' })).body).toEqual({ letzter_kontakt: '2026-03-05' });
    expect((await api.events(id)).map((event) => event.eventType)).toEqual([
      'patient.created',
      'patient.updated',
    ]);
  });

  it.each([{ date: '2999-01-01' }, { date: null }, { date: '2026-02-29' }, { date: 5 }])(
    'refuses %j',
    async (body) => {
      const { id } = await api.create();
      const answer = await note(id, body);
      expect(answer.status).toBe(422);
      expect(answer.body.errors.map((error) => error.pointer)).toEqual(['/date']);
    },
  );

  it('goes back when an admin corrects it; the correction is published and audited', async () => {
    api.at('2026-11-28T10:00:00Z');
    const { id } = await api.create();
    await note(id, { date: '2026-11-28' });
    const correct = (role: 'admin' | 'staff', body: object) =>
      api.send<{ letzter_kontakt: string; errors: { pointer: string }[] }>(
        'PATCH',
        `/api/patients/${id}/last-contact`,
        { role, body },
      );

    expect((await correct('staff', { date: '2026-03-01', correct: true })).status).toBe(403);
    expect((await correct('staff', { correct: true })).status).toBe(403);
    expect((await correct('staff', { date: '2026-03-01', correct: false })).body).toEqual({
      letzter_kontakt: '2026-11-28',
    });
    for (const body of [
      { correct: true },
      { correct: true, date: '2026-11-29' },
      { correct: true, date: null },
    ]) {
      const refused = await correct('admin', body);
      expect([refused.status, refused.body.errors.map(({ pointer }) => pointer)]).toEqual([422, ['/date']]);
    }
    const before = api.lines.length;
    const corrected = await correct('admin', { date: '2026-03-01', correct: true });

    expect([corrected.status, corrected.body]).toEqual([200, { letzter_kontakt: '2026-03-01' }]);
    expect((await api.events(id)).map((event) => event.eventType)).toEqual([
      'patient.created',
      'patient.updated',
      'patient.updated',
    ]);
    const audited = api.lines.slice(before).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(audited).toContainEqual(
      expect.objectContaining({
        message: 'audit',
        role: 'admin',
        patient_id: id,
        fields: ['letzter_kontakt'],
      }),
    );
  });

  it('refuses unknown keys', async () => {
    const { id } = await api.create();
    expect((await note(id, { datum: '2026-01-01' })).status).toBe(422);
  });
});

describe('the history', () => {
  it('lists the newest first, each entry once across the pages, with its data as received', async () => {
    const { id } = await api.create();
    const batch = api.db.batch();
    const events = Array.from({ length: 5 }, (_, at) => ({
      event_id: `0000000${at}-0000-4000-8000-000000000000`,
      event_type: 'email.sent',
      // Pairs have the same time, so that the id decides their order.
      occurred_at: `2026-11-0${1 + (at >> 1)}T10:00:00.000Z`,
      reference_id: String(at),
      data: { email_data: { nested: [[1], [at]] } },
    }));
    for (const event of events) addCommunication(api.db, batch, id, event);
    await batch.commit();

    const seen: History['data'] = [];
    let token: string | null = null;
    do {
      const query: string = token === null ? '' : `&page_token=${token}`;
      const { status, body } = await api.send<History>(
        'GET',
        `/api/patients/${id}/communication?limit=2${query}`,
      );
      expect(status).toBe(200);
      seen.push(...body.data);
      token = body.next_page_token;
    } while (token !== null && seen.length < 10);
    expect(seen).toEqual([...events].reverse());
  });

  it('ends a page early when its entries are large, and has them all across the pages', async () => {
    const { id } = await api.create();
    const large = { body: 'x'.repeat(900_000) };
    const event_ids = Array.from({ length: 8 }, () => crypto.randomUUID());
    for (const event_id of event_ids) {
      const batch = api.db.batch();
      const entry = { event_type: 'email.sent', occurred_at: '2026-11-01T10:00:00.000Z' };
      addCommunication(api.db, batch, id, { ...entry, event_id, reference_id: event_id, data: large });
      await batch.commit();
    }
    const path = `/api/patients/${id}/communication?limit=1000`;
    const first = (await api.send<History>('GET', path)).body;
    const second = (await api.send<History>('GET', `${path}&page_token=${first.next_page_token}`)).body;
    const seen = [...first.data, ...second.data].map(({ event_id }) => event_id);
    expect([first.data.length, second.data.length, second.next_page_token]).toEqual([5, 3, null]);
    expect(seen).toEqual(event_ids.sort().reverse());
  });

  it('refuses the page token of another patient', async () => {
    const [one, other] = [await api.create(), await api.create()];
    const batch = api.db.batch();
    for (const event_id of ['a', 'b']) {
      const entry = { event_type: 'email.sent', occurred_at: '2026-11-01T10:00:00.000Z' };
      addCommunication(api.db, batch, one.id, { ...entry, event_id, reference_id: event_id, data: {} });
    }
    await batch.commit();
    const { body } = await api.send<History>('GET', `/api/patients/${one.id}/communication?limit=1`);
    const path = `/api/patients/${other.id}/communication?page_token=${body.next_page_token}`;
    expect((await api.send('GET', path)).status).toBe(422);
  });

  it.each([
    { occurred_at: '\ud800', event_id: crypto.randomUUID() },
    { occurred_at: '2026-11-01T10:00:00.000Z', event_id: '\ud800' },
  ])('refuses a page token made by hand of %j', async (position) => {
    const { id } = await api.create();
    const token = pageToken(position, ['communication', id]);
    const { status } = await api.send('GET', `/api/patients/${id}/communication?page_token=${token}`);
    expect(status).toBe(422);
  });
});

describe('the import status', () => {
  it('counts by outcome and lists the last imports, without personal data', async () => {
    const { db, bucket } = api.deps;
    const world = await importWorld({ db, bucket, allocatePatientId: api.deps.allocatePatientId });
    const drop = async (content: object) => {
      const name = `incoming/${crypto.randomUUID()} Beispiel.json`;
      const file = world.bucket.file(name);
      await file.save(JSON.stringify(content), { resumable: false, contentType: 'application/json' });
      const object = {
        name,
        generation: String(file.metadata.generation),
        bytes: 1,
        uploadedAt: world.deps.clock(),
      };
      return importObject(world.deps, object);
    };
    const registration = aRegistration();
    await drop(registration);
    await drop(registration);
    await drop({});
    const { body } = await api.send<Record<string, unknown>>('GET', '/api/patients/import-status', {
      role: 'reader',
    });
    const counts = { imported: 1, duplicate: 1, failed: 1, erased: 0 };
    expect(body).toMatchObject({ total: counts, last_24_hours: counts });
    expect(body['last_imports']).toMatchObject([
      { outcome: 'failed', reason: 'import.invalid', patient_id: null },
      { outcome: 'duplicate', reason: null },
      { outcome: 'imported', reason: null },
    ]);
    expect(JSON.stringify(body)).not.toMatch(/Beispiel|Lena|example\.org/);
    api.at('2036-01-01T00:00:00Z');
    const later = await api.send<Record<string, unknown>>('GET', '/api/patients/import-status');
    expect(later.body['last_24_hours']).toEqual({ imported: 0, duplicate: 0, failed: 0, erased: 0 });
  });
});
