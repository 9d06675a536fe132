/** Writing and reading patients: the effects and events of a request, and concurrent requests. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FIELD_NAMES } from '../../shared/patient/schema.ts';
import { aBody, startApi, type Api } from '../support/api.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
beforeEach(() => api.at(undefined));

const typesOf = async (id: Parameters<Api['events']>[0]) =>
  (await api.events(id)).map((event) => event.eventType);

describe('creating a patient', () => {
  it('responds with 201, every field in order, the path and the version', async () => {
    const { status, headers, body } = await api.send('POST', '/api/patients', { body: aBody() });
    expect(status).toBe(201);
    expect(Object.keys(body)).toEqual(FIELD_NAMES);
    expect(headers.get('location')).toBe(`/api/patients/${body.id}`);
    expect(headers.get('etag')).toBe('"1"');
    expect((await api.send('GET', `/api/patients/${body.id}`)).body).toEqual(body);
  });

  it('starts the search at once when both flags are set', async () => {
    const patient = await api.create({ zahlung_eingegangen: true, vertraege_unterschrieben: true });
    expect(patient.status).toBe('auf_der_Suche');
    expect(await typesOf(patient.id)).toEqual(['patient.created', 'patient.status_changed']);
  });

  it('refuses a payment reference that is taken, naming the field', async () => {
    await api.create({ zahlungsreferenz: 'ref-1' });
    const { status, body } = await api.send('POST', '/api/patients', {
      body: aBody({ zahlungsreferenz: 'ref-1' }),
    });
    expect(status).toBe(409);
    expect(body.errors.map((error) => error.pointer)).toEqual(['/zahlungsreferenz']);
    await expect(api.create({ zahlungsreferenz: 'REF-1' })).resolves.toBeDefined();
  });
});

describe('changing a patient', () => {
  it.each(['PATCH', 'PUT'])('%s applies the named fields and leaves the others', async (method) => {
    const { id } = await api.create({ ort: 'Köln', plz: '50667' });
    const { status, body, headers } = await api.send(method, `/api/patients/${id}`, {
      body: { ort: 'Bonn' },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ ort: 'Bonn', plz: '50667' });
    expect(headers.get('etag')).toBe('"2"');
    expect(await typesOf(id)).toEqual(['patient.created', 'patient.updated']);
  });

  it('writes and publishes nothing when nothing changes', async () => {
    const before = await api.create({ ort: 'Köln' });
    const { status, body, headers } = await api.send('PATCH', `/api/patients/${before.id}`, {
      body: { ort: 'Köln', vorname: 'Lena' },
    });
    expect(status).toBe(200);
    expect(body).toEqual(before);
    expect(headers.get('etag')).toBe('"1"');
    expect(await typesOf(before.id)).toEqual(['patient.created']);
  });

  it.each([
    ['zahlung_eingegangen', 'vertraege_unterschrieben'],
    ['vertraege_unterschrieben', 'zahlung_eingegangen'],
  ])('starts the search when %s comes first and %s last', async (first, last) => {
    // 00:30 in Berlin, where the next day has begun, but not in UTC.
    api.at('2026-07-14T22:30:00Z');
    const { id } = await api.create();
    await api.send('PATCH', `/api/patients/${id}`, { body: { [first]: true } });
    const { body } = await api.send('PATCH', `/api/patients/${id}`, { body: { [last]: true } });
    expect(body).toMatchObject({ status: 'auf_der_Suche', startdatum: '2026-07-15' });
    api.at('2026-07-20T10:00:00Z');
    await api.send('PATCH', `/api/patients/${id}`, { body: { [last]: false } });
    const again = await api.send('PATCH', `/api/patients/${id}`, { body: { [last]: true } });
    expect(again.body).toMatchObject({ status: 'auf_der_Suche', startdatum: '2026-07-15' });
    expect((await typesOf(id)).filter((type) => type === 'patient.status_changed')).toHaveLength(1);
  });

  it('publishes one exclusion for each therapist newly excluded', async () => {
    const { id } = await api.create({ ausgeschlossene_therapeuten: [7] });
    const { body } = await api.send('PATCH', `/api/patients/${id}`, {
      body: { ausgeschlossene_therapeuten: [7, { id: 8, reason: 'Termin' }] },
    });
    expect(body.ausgeschlossene_therapeuten.map((one) => one.id)).toEqual([7, 8]);
    expect(await typesOf(id)).toEqual([
      'patient.created',
      'patient.therapist_excluded',
      'patient.updated',
      'patient.therapist_excluded',
    ]);
  });

  it('frees a payment reference that is removed', async () => {
    const { id } = await api.create({ zahlungsreferenz: 'free-1' });
    await api.send('PATCH', `/api/patients/${id}`, { body: { zahlungsreferenz: null } });
    await expect(api.create({ zahlungsreferenz: 'free-1' })).resolves.toBeDefined();
  });
});

describe('versions', () => {
  it('are checked against If-Match with strong comparison', async () => {
    const { id } = await api.create();
    const patch = (ifMatch: string, ort: string) =>
      api.send('PATCH', `/api/patients/${id}`, { body: { ort }, headers: { 'if-match': ifMatch } });
    expect((await patch('"1"', 'Köln')).status).toBe(200);
    expect((await patch('"1"', 'Bonn')).status).toBe(412);
    expect((await patch('W/"2"', 'Bonn')).status).toBe(412);
    expect((await patch('"9", "2"', 'Bonn')).status).toBe(200);
    expect((await patch('*', 'Kiel')).status).toBe(200);
  });

  it('give 304 to a caller that has the current one', async () => {
    const { id } = await api.create();
    const get = (tag: string) =>
      api.send('GET', `/api/patients/${id}`, { headers: { 'if-none-match': tag } });
    expect(await get('"1"')).toMatchObject({ status: 304, body: '' });
    expect((await get('W/"1"')).status).toBe(304);
    expect((await get('"2"')).status).toBe(200);
  });
});

describe('a repeated POST', () => {
  const post = (key: string, body: unknown) =>
    api.send('POST', '/api/patients', { body, headers: { 'idempotency-key': key } });

  it('gets the same response even if the patient has changed since', async () => {
    const body = aBody({
      zahlung_eingegangen: true,
      vertraege_unterschrieben: true,
      zahlungsreferenz: 'idem-1',
    });
    const first = await post('key-1', body);
    await api.send('PATCH', `/api/patients/${first.body.id}`, { body: { ort: 'Kiel' } });
    const second = await post('key-1', body);
    expect(second).toMatchObject({ status: 201, body: first.body });
    for (const header of ['etag', 'location'])
      expect(second.headers.get(header)).toBe(first.headers.get(header));
  });

  it('is refused with another body', async () => {
    await post('key-2', aBody());
    expect((await post('key-2', aBody({ ort: 'Kiel' }))).status).toBe(422);
  });

  it('creates another patient once the key has expired', async () => {
    api.at('2026-07-01T10:00:00Z');
    const first = await post('key-3', aBody());
    api.at('2026-07-02T10:00:01Z');
    const second = await post('key-3', aBody());
    expect(second.status).toBe(201);
    expect(second.body.id).not.toBe(first.body.id);
  });

  it('stores only hashes, the patient id and the version', async () => {
    const { body } = await post('key-4', aBody());
    const stored = await api.db.collection('idempotency_keys').where('patient_id', '==', body.id).get();
    expect(Object.keys(stored.docs[0]!.data()).sort()).toEqual([
      'body_sha256',
      'expires_at',
      'patient_id',
      'version',
    ]);
  });
});

describe('concurrent requests', () => {
  it('lose none of 20 changes of different fields', async () => {
    const { id } = await api.create();
    const fields = {
      strasse: 'Weg 1',
      plz: '01067',
      ort: 'Dresden',
      email: 'lena@example.org',
      telefon: '+49221000000',
      hausarzt: 'Dr. Probe',
      krankenkasse: 'Testkasse',
      krankenversicherungsnummer: 'A1',
      geburtsdatum: '1990-01-01',
      erfahrung_mit_psychotherapie: true,
      letzte_sitzung_vorherige_psychotherapie: '2020-01-01',
      erster_therapieplatz_am: '2026-01-01',
      funktionierender_therapieplatz_am: '2026-02-01',
      empfehler_der_unterstuetzung: 'Hausarzt',
      zahlungsreferenz: 'race-1',
      verkehrsmittel: 'Auto',
      offen_fuer_gruppentherapie: true,
      offen_fuer_diga: true,
      zugewiesener_therapeut: 4,
      bevorzugtes_therapieverfahren: 'Verhaltenstherapie',
    };
    const answers = await Promise.all(
      Object.entries(fields).map(([field, value]) =>
        api.send('PATCH', `/api/patients/${id}`, { body: { [field]: value } }),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200));
    expect((await api.send('GET', `/api/patients/${id}`)).body).toMatchObject(fields);
    expect((await api.events(id)).map((event) => event.sequence)).toEqual(
      Array.from({ length: 21 }, (_, at) => at + 1),
    );
  });

  it('start the search once when payment and contracts arrive at the same time', async () => {
    const { id } = await api.create();
    await Promise.all(
      ['zahlung_eingegangen', 'vertraege_unterschrieben'].map((flag) =>
        api.send('PATCH', `/api/patients/${id}`, { body: { [flag]: true } }),
      ),
    );
    expect((await api.send('GET', `/api/patients/${id}`)).body.status).toBe('auf_der_Suche');
    expect((await typesOf(id)).filter((type) => type === 'patient.status_changed')).toHaveLength(1);
  });

  it('of different callers may use the same Idempotency-Key', async () => {
    const as = async (sub: string, body: unknown) => {
      const headers = {
        authorization: `Bearer ${await api.issuer.sign({ role: 'staff', sub })}`,
        'idempotency-key': 'shared',
      };
      return api.send('POST', '/api/patients', { role: null, body, headers });
    };
    const [one, other] = [await as('one', aBody()), await as('other', aBody({ vorname: 'Eva' }))];
    expect([one.status, other.status]).toEqual([201, 201]);
    expect(other.body.id).not.toBe(one.body.id);
    expect((await as('one', aBody())).body.id).toBe(one.body.id);
    expect((await as('one', aBody({ vorname: 'Eva' }))).status).toBe(422);
  });

  it('create one patient when 20 POSTs have the same key', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        api.send('POST', '/api/patients', { body: aBody(), headers: { 'idempotency-key': 'race' } }),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 201));
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
  });
});
