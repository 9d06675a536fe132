/** Invalid input for POST, PATCH and PUT: each rule of the contract broken once, and invalid bodies. */
import { beforeAll, describe, expect, it } from 'vitest';
import { aBody, startApi, type Api } from '../support/api.ts';
import { expectCheapNormalising } from '../support/normalised.ts';
import { textFields } from '../support/text-fields.ts';

let api: Api;
let path: string;
beforeAll(async () => {
  api = await startApi();
  path = `/api/patients/${(await api.create()).id}`;
});

const exclusions = (count: number) => Array.from({ length: count }, (_, at) => at + 1);
const deep = JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`) as unknown;

/** Field, value, and the pointer of the violation if it is not the field itself. */
const refused: [field: string, value: unknown, pointer?: string][] = [
  ...['anrede', 'geschlecht', 'vorname', 'nachname', 'vertraege_unterschrieben', 'status'].map(
    (field): [string, unknown] => [field, null],
  ),
  ...['zahlung_eingegangen', 'offen_fuer_gruppentherapie', 'offen_fuer_diga'].map(
    (field): [string, unknown] => [field, null],
  ),
  ...[
    'ausgeschlossene_therapeuten',
    'bevorzugtes_therapeutengeschlecht',
    'bevorzugtes_therapieverfahren',
  ].map((field): [string, unknown] => [field, null]),
  ...['id', 'startdatum', 'letzter_kontakt', 'created_at', 'updated_at'].map((field): [string, unknown] => [
    field,
    null,
  ]),
  ['id', 5],
  ['startdatum', '2026-01-01'],
  ['anrede', 'herr'],
  ['anrede', 1],
  ['geschlecht', 'Weiblich'],
  ['vorname', ''],
  ['vorname', ' \t'],
  ['vorname', 'x'.repeat(101)],
  ['vorname', 5],
  ['vorname', ['Lena']],
  ['vorname', '\u200b'],
  ['vorname', '\u3164'],
  ['vorname', '007'],
  ['nachname', '\ud800'],
  ['nachname', 'Beispiel\u0000'],
  ['nachname', 'Bei\u202espiel'],
  ['strasse', 'Musterweg 4\nHinterhaus'],
  ['hausarzt', 'Dr.\u2028Probe'],
  ['krankenkasse', 'Test\u0007kasse'],
  ['krankenversicherungsnummer', 'A\u200f1'],
  ['empfehler_der_unterstuetzung', 'a\u009fb'],
  ['ausgeschlossene_therapeuten', [{ id: 1, reason: 'a\u2066b' }], '/ausgeschlossene_therapeuten/0/reason'],
  ['strasse', 'x'.repeat(256)],
  ['plz', '1234'],
  ['plz', 12345],
  ['plz', '1234a'],
  ['plz', '１２３４５'],
  ['ort', 'x'.repeat(101)],
  ['email', 'lena'],
  ['email', `${'x'.repeat(250)}@example.org`],
  ['email', 'info@müller'],
  ['email', 'lena@example.org\r\nBcc: x@example.org'],
  ['telefon', 'keins'],
  ['telefon', '030 123456\u0000'],
  ['telefon', 49221],
  ['hausarzt', 'x'.repeat(256)],
  ['krankenkasse', 'x'.repeat(101)],
  ['krankenversicherungsnummer', 'x'.repeat(51)],
  ['geburtsdatum', '2023-02-29'],
  ['geburtsdatum', '2999-01-01'],
  ['geburtsdatum', '1990-1-1'],
  ['geburtsdatum', '01.02.1990'],
  ['geburtsdatum', 19900101],
  ['symptome', []],
  ['symptome', ['Schlafstörungen', 'Schlafstörungen']],
  ['symptome', ['schlafstörungen'], '/symptome/0'],
  ['symptome', 'Schlafstörungen'],
  [
    'symptome',
    [
      'Innere Leere',
      'Einsamkeit',
      'Zwänge',
      'Essstörungen',
      'Identitätskrise',
      'Selbstzweifel',
      'Schlafstörungen',
    ],
  ],
  ['erfahrung_mit_psychotherapie', 'false'],
  ['letzte_sitzung_vorherige_psychotherapie', '2999-01-01'],
  ['vertraege_unterschrieben', 'true'],
  ['vertraege_unterschrieben', 1],
  ['erster_therapieplatz_am', '2026-13-01'],
  ['funktionierender_therapieplatz_am', '2026-02-30'],
  ['status', 'In_Therapie'],
  ['empfehler_der_unterstuetzung', 'x'.repeat(2001)],
  ['zahlungsreferenz', '123456789'],
  ['zahlungsreferenz', 'a b'],
  ['zahlungsreferenz', 'ä'],
  ['zahlung_eingegangen', 0],
  ['zeitliche_verfuegbarkeit', []],
  ['zeitliche_verfuegbarkeit', { montag: ['12:00-08:00'] }, '/zeitliche_verfuegbarkeit/montag/0'],
  ['zeitliche_verfuegbarkeit', { montag: ['08:00-08:00'] }, '/zeitliche_verfuegbarkeit/montag/0'],
  ['zeitliche_verfuegbarkeit', { montag: ['8:00-12:00'] }, '/zeitliche_verfuegbarkeit/montag/0'],
  ['zeitliche_verfuegbarkeit', { montag: ['24:00-24:30'] }, '/zeitliche_verfuegbarkeit/montag/0'],
  ['zeitliche_verfuegbarkeit', { montag: Array(25).fill('08:00-09:00') }, '/zeitliche_verfuegbarkeit/montag'],
  ['zeitliche_verfuegbarkeit', { feiertag: [] }, '/zeitliche_verfuegbarkeit/feiertag'],
  ['zeitliche_verfuegbarkeit', { montag: deep }, '/zeitliche_verfuegbarkeit/montag/0'],
  ['raeumliche_verfuegbarkeit', {}, '/raeumliche_verfuegbarkeit/max_km'],
  ['raeumliche_verfuegbarkeit', { max_km: 0 }, '/raeumliche_verfuegbarkeit/max_km'],
  ['raeumliche_verfuegbarkeit', { max_km: 501 }, '/raeumliche_verfuegbarkeit/max_km'],
  ['raeumliche_verfuegbarkeit', { max_km: '20' }, '/raeumliche_verfuegbarkeit/max_km'],
  ['raeumliche_verfuegbarkeit', { max_km: 1.5 }, '/raeumliche_verfuegbarkeit/max_km'],
  ['raeumliche_verfuegbarkeit', { max_km: 5, max_min: 5 }, '/raeumliche_verfuegbarkeit/max_min'],
  ['verkehrsmittel', 'Fahrrad'],
  ['ausgeschlossene_therapeuten', exclusions(10_000)],
  ['ausgeschlossene_therapeuten', exclusions(1001)],
  ['ausgeschlossene_therapeuten', exclusions(101)],
  ['ausgeschlossene_therapeuten', ['7'], '/ausgeschlossene_therapeuten/0'],
  ['ausgeschlossene_therapeuten', [0], '/ausgeschlossene_therapeuten/0'],
  ['ausgeschlossene_therapeuten', [{ reason: 'x' }], '/ausgeschlossene_therapeuten/0/id'],
  ['ausgeschlossene_therapeuten', [{ id: 1, x: 1 }], '/ausgeschlossene_therapeuten/0/x'],
  [
    'ausgeschlossene_therapeuten',
    [{ id: 1, reason: 'x'.repeat(501) }],
    '/ausgeschlossene_therapeuten/0/reason',
  ],
  [
    'ausgeschlossene_therapeuten',
    [{ id: 1, excluded_at: 'gestern' }],
    '/ausgeschlossene_therapeuten/0/excluded_at',
  ],
  ['zugewiesener_therapeut', 0],
  ['zugewiesener_therapeut', 2 ** 31],
  ['zugewiesener_therapeut', '4'],
  ['bevorzugtes_therapeutengeschlecht', 'egal'],
  ['bevorzugtes_therapieverfahren', 'Egal'],
  ['unknown_field', 1],
  ['hat_ptv11', true],
  ['constructor', 1],
];

describe.each(['POST', 'PATCH', 'PUT'])('%s', (method) => {
  const send = (fields: object) =>
    method === 'POST'
      ? api.send('POST', '/api/patients', { body: aBody({ ...fields }) })
      : api.send(method, path, { body: fields });

  it.each(refused)('refuses %s = %j with its pointer', async (field, value, pointer = `/${field}`) => {
    const { status, body } = await send({ [field]: value });
    expect(status).toBe(422);
    expect(body.errors.map((error) => error.pointer)).toEqual([pointer]);
  });

  it('reports all violations together, without values', async () => {
    const { body } = await send({ plz: 'Geheim1', email: 'Geheim2', status: 'Geheim3', 'Frau Geheim': 1 });
    expect(body.errors.map((error) => error.pointer).sort()).toEqual(['', '/email', '/plz', '/status']);
    expect(JSON.stringify(body)).not.toContain('Geheim');
  });
});

/** Alternating marks of two classes. Putting them into canonical order takes quadratic time. */
const marks = 'a' + '\u0301'.repeat(260_000) + '\u0323'.repeat(260_000);

describe('text of 1 MiB that is costly to normalise', () => {
  it.each<[string, object]>([
    ...textFields.map((field): [string, object] => [`/${field}`, { [field]: marks }]),
    ['/symptome/0', { symptome: [marks] }],
    ['/zeitliche_verfuegbarkeit/montag/0', { zeitliche_verfuegbarkeit: { montag: [marks] } }],
    ['/ausgeschlossene_therapeuten/0/reason', { ausgeschlossene_therapeuten: [{ id: 1, reason: marks }] }],
    ['', { [marks]: 1 }],
  ])('is refused without being normalised, with the pointer %j', async (pointer, fields) => {
    const { status, body } = await expectCheapNormalising(() => api.send('PATCH', path, { body: fields }));
    expect(status).toBe(422);
    expect(body.errors.map((error) => error.pointer)).toEqual([pointer]);
  });

  it.each(['search', 'page_token', 'limit', 'status', 'page'])(
    'is refused without being normalised, as the parameter %s',
    async (name) => {
      const url = `/api/patients?${name}=${encodeURIComponent(marks)}`;
      const { status, body } = await expectCheapNormalising(() => api.send('GET', url));
      expect(status).toBe(422);
      expect(body.errors.map((error) => error.pointer)).toEqual([`/${name}`]);
    },
  );
});

const bodies: [what: string, status: number, body: string | Uint8Array, headers?: Record<string, string>][] =
  [
    ['an empty body', 400, ''],
    ['half a document', 400, '{"vorname": "Le'],
    ['invalid UTF-8', 400, Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)],
    ['a byte order mark', 400, '\ufeff{}'],
    ['an array', 422, '[]'],
    ['null', 422, 'null'],
    ['a text', 422, '"x"'],
    ['a prototype key', 422, '{"__proto__": {"vorname": "x"}}'],
    ['100,000 brackets', 422, `{"ort": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['more than 1 MiB', 413, JSON.stringify({ ort: 'x'.repeat(2 ** 20) })],
    ['a form', 415, 'vorname=Lena', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['plain text', 415, '{}', { 'content-type': 'text/plain' }],
    ['another charset', 415, '{}', { 'content-type': 'application/json; charset=latin1' }],
    ['an empty charset', 415, '{}', { 'content-type': 'application/json; charset=""' }],
    ['of a type with a suffix', 415, '{}', { 'content-type': 'application/jsonx' }],
    ['of two types', 415, '{}', { 'content-type': 'application/json, text/plain' }],
    ['of no type', 415, '{}', { 'content-type': '' }],
    ['a compressed body', 415, '{}', { 'content-encoding': 'gzip' }],
  ];

describe.each([
  ['POST', () => '/api/patients'],
  ['PATCH', () => path],
])('a body of a %s', (method, target) => {
  it.each(bodies)('that is %s: %i', async (_, status, body, headers = {}) => {
    const answer = await api.send(method, target(), { body, headers });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(Object.keys(answer.body).sort()).toEqual(['errors', 'message', 'status', 'title', 'type']);
  });

  it.each([
    'application/json; charset=UTF-8',
    'application/json;charset=utf8',
    'application/json; charset="utf-8"',
    'application/json; charset="UTF8"',
    'Application/JSON;',
    'application/json ; charset=utf-8 ;',
  ])('may be of the type %s', async (type) => {
    const headers = { 'content-type': type };
    const { status } = await api.send(method, target(), { body: aBody(), headers });
    expect(status).toBeLessThan(300);
  });

  it.each(['identity', 'Identity', ''])('may be encoded as "%s"', async (coding) => {
    const headers = { 'content-encoding': coding };
    const { status } = await api.send(method, target(), { body: aBody(), headers });
    expect(status).toBeLessThan(300);
  });

  it('that is cut off is the fault of the sender', async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error('cut')) });
    const headers = {
      authorization: `Bearer ${api.issuer.tokens.admin}`,
      'content-type': 'application/json',
    };
    const before = api.lines.length;
    const answer = await api.app.request(target(), { method, headers, body, duplex: 'half' } as RequestInit);
    expect(answer.status).toBe(400);
    expect(api.lines.slice(before).join('\n')).not.toMatch(/ERROR|internal/);
  });
});

describe('unusual but valid input', () => {
  it.each([
    [{ geburtsdatum: '2024-02-29' }, { geburtsdatum: '2024-02-29' }],
    [
      { ort: ' ', plz: '', email: '', zugewiesener_therapeut: '', symptome: ' ' },
      { ort: null, plz: null, email: null, zugewiesener_therapeut: null, symptome: null },
    ],
    [{ vorname: 'Zoe\u0308' }, { vorname: 'Zoë' }],
    [{ vorname: '\u00a0Lena\n' }, { vorname: 'Lena' }],
    [
      { strasse: '\u200b', hausarzt: '\u00a0' },
      { strasse: null, hausarzt: null },
    ],
    [
      { email: ' info@müller.de\u00a0', plz: ' 50667 ' },
      { email: 'info@müller.de', plz: '50667' },
    ],
    [{ telefon: '030 12345 ext. 5' }, { telefon: '030 12345 ext. 5' }],
    [{ telefon: '0171 1234567 (Mutter)' }, { telefon: '0171 1234567 (Mutter)' }],
    [{ telefon: '0171 1234567 oder 030 123456' }, { telefon: '0171 1234567 oder 030 123456' }],
    [{ telefon: '0221 / 47 11 00' }, { telefon: '+49221471100' }],
    [{ ort: '𝒳'.repeat(100) }, { ort: '𝒳'.repeat(100) }],
    [{ plz: '01067' }, { plz: '01067' }],
    [{ zeitliche_verfuegbarkeit: {} }, { zeitliche_verfuegbarkeit: {} }],
  ])('%j becomes %j', async (fields, stored) => {
    const { id } = await api.create(fields);
    expect((await api.send('GET', `/api/patients/${id}`)).body).toMatchObject(stored);
  });

  it('may be 1000 exclusions, added 100 at a time', async () => {
    const { id } = await api.create({ ausgeschlossene_therapeuten: exclusions(100) });
    for (let count = 200; count <= 1000; count += 100) {
      const body = { ausgeschlossene_therapeuten: exclusions(count) };
      const answer = await api.send('PATCH', `/api/patients/${id}`, { body });
      expect(answer.body.ausgeschlossene_therapeuten).toHaveLength(count);
    }
  });
});

describe('paths and methods', () => {
  it.each([
    '/api/patients/%ff',
    '/api/patients/%',
    '/api/patients/1/%c3%28',
    '/%e0%80',
    '/api/patients?search=%ff',
    '/api/patients?%zz=1',
    '/livez?%',
  ])('%s is refused as a malformed URL', async (target) => {
    const { status, headers, body } = await api.send('GET', target);
    expect(status).toBe(400);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(body).toMatchObject({ type: 'urn:patient-service:problem:request.malformed_url' });
  });

  it.each(['0', '-1', '2147483648', '1e3', 'abc', '1.0', '01', '%00', '999999'])(
    'id %s names nobody',
    async (id) => {
      for (const method of ['GET', 'DELETE']) {
        expect((await api.send(method, `/api/patients/${id}`)).status).toBe(404);
      }
      expect((await api.send('PATCH', `/api/patients/${id}`, { body: {} })).status).toBe(404);
      expect((await api.send('GET', `/api/patients/${id}/communication`)).status).toBe(404);
      expect((await api.send('PATCH', `/api/patients/${id}/last-contact`, { body: {} })).status).toBe(404);
    },
  );

  it.each([
    ['DELETE', '/api/patients', 'GET, HEAD, POST'],
    ['POST', '/api/patients/1', 'GET, HEAD, PATCH, PUT, DELETE'],
    ['DELETE', '/api/patients/import-status', 'GET, HEAD'],
    ['GET', '/api/patients/1/last-contact', 'PATCH'],
    ['POST', '/livez', 'GET, HEAD'],
  ])('%s %s is refused with the allowed methods', async (method, target, allow) => {
    const { status, headers } = await api.send(method, target);
    expect(status).toBe(405);
    expect(headers.get('allow')).toBe(allow);
  });

  it('no response may be cached or sniffed, except that the files of the documentation page may be cached', async () => {
    for (const target of ['/api/patients', '/api/patients/1', '/nowhere', '/livez']) {
      const { headers } = await api.send('GET', target);
      expect([headers.get('cache-control'), headers.get('x-content-type-options')]).toEqual([
        'no-store',
        'nosniff',
      ]);
    }
    const { headers } = await api.send('GET', '/docs/docs.js');
    expect(headers.get('cache-control')).toBe('public, max-age=3600');
  });

  it('an Idempotency-Key must have visible characters only', async () => {
    const headers = { 'idempotency-key': 'a b' };
    expect((await api.send('POST', '/api/patients', { body: aBody(), headers })).status).toBe(422);
  });
});
