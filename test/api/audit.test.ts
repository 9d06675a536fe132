/** The audit trail in the log: for every request below /api, the patients concerned and the person behind it. */
import { Firestore } from '@google-cloud/firestore';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createApp } from '../../functions/patients-api/app.ts';
import { readPatientRoute } from '../../functions/patients-api/routes/read-patient.ts';
import { routes } from '../../functions/patients-api/routes/index.ts';
import { createAuthentication, authVariables } from '../../shared/platform/auth.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { completeErasures } from '../../shared/registration/erase-patient.ts';
import { eventually } from '../support/eventually.ts';
import { aBody, startApi, type Api } from '../support/api.ts';

const guarded = routes.filter((route) => route.role !== undefined);

let api: Api;
let backend: string;
beforeAll(async () => {
  api = await startApi({ AUTH_TRUSTED_BACKENDS: 'portal-7, proxy@example.org' });
  backend = `Bearer ${await api.issuer.sign({ sub: 'portal-7', role: 'staff' })}`;
});
afterEach(() => vi.restoreAllMocks());

type Line = Readonly<Record<string, unknown>>;

/** The audit entries that `act` causes. */
async function auditOf(act: () => Promise<unknown>, from = api): Promise<Line[]> {
  const before = from.lines.length;
  await act();
  return from.lines
    .slice(before)
    .map((line) => JSON.parse(line) as Line)
    .filter(({ message }) => message === 'audit');
}

describe.each(guarded.map((route) => [`${route.method} ${route.path}`, route] as const))(
  '%s',
  (name, route) => {
    const path = route.path.replace('{id}', '77');
    const patient_ids = route.path.includes('{id}') ? [77] : [];

    it('writes one entry for an unknown caller', async () => {
      expect(await auditOf(() => api.send(route.method, path, { role: null }))).toEqual([
        expect.objectContaining({
          route: name,
          method: route.method,
          outcome: 'refused',
          status: 401,
          patient_ids,
        }),
      ]);
    });

    it('writes one entry with the subject of a caller without a role', async () => {
      const authorization = `Bearer ${await api.issuer.sign({ sub: 'nobody-1' })}`;
      const entries = await auditOf(() =>
        api.send(route.method, path, { role: null, headers: { authorization } }),
      );
      expect(entries).toEqual([
        expect.objectContaining({
          actor: 'nobody-1',
          route: name,
          outcome: 'refused',
          status: 403,
          patient_ids,
        }),
      ]);
    });

    it('writes one entry for a response with personal data, and none for one without', async () => {
      const { id } = await api.create();
      const body = { POST: aBody(), PATCH: { ort: 'Köln' }, PUT: { ort: 'Köln' } }[route.method as string];
      const sent = name.endsWith('last-contact') || body === undefined ? {} : { body };
      const entries = await auditOf(() =>
        api.send(route.method, route.path.replace('{id}', String(id)), sent),
      );
      expect(entries).toHaveLength(route.isImpersonal ? 0 : 1);
      for (const entry of entries) {
        expect(entry).toMatchObject({
          actor: 'test-subject',
          role: 'admin',
          route: name,
          method: route.method,
        });
        expect(['answered', 'changed', 'refused']).toContain(entry['outcome']);
        if (route.method !== 'POST') expect(entry['patient_ids']).toContain(id);
        expect(entry['logging.googleapis.com/trace']).toMatch(/traces\/[0-9a-f]{32}$/);
        expect(entry['time']).toMatch(/Z$/);
      }
    });
  },
);

describe('an entry', () => {
  it('names every patient of a list, and never the search term', async () => {
    const made = [await api.create({ nachname: 'Xylander' }), await api.create({ nachname: 'Xylander' })];
    const before = api.lines.length;
    const [entry] = await auditOf(() => api.send('GET', '/api/patients?search=xyland'));
    expect(entry).toMatchObject({ outcome: 'answered', patient_ids: made.map(({ id }) => id).toReversed() });
    expect(api.lines.slice(before).join('\n')).not.toMatch(/xyland/i);
  });

  it('for an empty list names no patient', async () => {
    expect(await auditOf(() => api.send('GET', '/api/patients?search=nobodyhere'))).toEqual([
      expect.objectContaining({ outcome: 'answered', patient_ids: [] }),
    ]);
  });

  it('never contains the text of the path', async () => {
    const before = api.lines.length;
    const entries = await auditOf(async () => {
      await api.send('GET', '/api/patients/M%C3%BCllersfrau');
      await api.send('GET', '/api/Muellersfrau');
      await api.send('GET', '/api/patients/%ffMuellersfrau');
      await api.send('LOOK', '/api/patients/7');
    });
    expect(entries.map(({ route, status, patient_ids }) => [route, status, patient_ids])).toEqual([
      ['GET /api/patients/{id}', 404, []],
      ['unmatched', 404, []],
      ['unmatched', 400, []],
      ['/api/patients/{id}', 405, [7]],
    ]);
    expect(api.lines.slice(before).join('\n')).not.toMatch(/sfrau/);
  });

  it('is written for HEAD, 304, 404 and a change without effect', async () => {
    const { id } = await api.create({ ort: 'Bonn' });
    const path = `/api/patients/${id}`;
    const entries = await auditOf(async () => {
      await api.send('HEAD', path);
      await api.send('GET', path, { headers: { 'if-none-match': '"1"' } });
      await api.send('GET', '/api/patients/999999');
      await api.send('PATCH', path, { body: { ort: 'Bonn' } });
      await api.send('PATCH', path, { body: { ort: 'Köln' }, headers: { 'if-match': '"9"' } });
      await api.send('PATCH', path, { body: { plz: '1' } });
    });
    expect(
      entries.map(({ method, status, outcome, patient_ids }) => [method, status, outcome, patient_ids]),
    ).toEqual([
      ['HEAD', 200, 'answered', [id]],
      ['GET', 304, 'answered', [id]],
      ['GET', 404, 'refused', [999_999]],
      ['PATCH', 200, 'answered', [id]],
      ['PATCH', 412, 'refused', [id]],
      ['PATCH', 422, 'refused', [id]],
    ]);
  });

  it('for a repeated POST names the patient again', async () => {
    const headers = { 'idempotency-key': 'twice' };
    const entries = await auditOf(async () => {
      await api.send('POST', '/api/patients', { body: aBody(), headers });
      await api.send('POST', '/api/patients', { body: aBody(), headers });
    });
    expect(entries.map(({ outcome }) => outcome)).toEqual(['changed', 'answered']);
    expect(entries[1]!['patient_ids']).toEqual(entries[0]!['patient_ids']);
  });

  it('adds no Firestore call to a GET', async () => {
    const { id } = await api.create();
    const calls: string[] = [];
    const client = Firestore.prototype as unknown as Record<string, (...args: unknown[]) => unknown>;
    for (const name of ['request', 'requestStream']) {
      const original = client[name]!;
      vi.spyOn(client, name).mockImplementation(function (this: unknown, ...args) {
        calls.push(String(args[0]));
        return original.apply(this, args);
      });
    }
    expect(await auditOf(() => api.send('GET', `/api/patients/${id}`))).toHaveLength(1);
    expect(calls).toEqual(['batchGetDocuments']);
  });

  it('is never missing, because a response that does not name its patients is not sent', async () => {
    const forgetful = {
      ...readPatientRoute,
      path: '/api/forgetful',
      handle: () => new Response('{"vorname": "Lena"}'),
    };
    const app = createApp(api.deps, [forgetful]);
    const headers = { authorization: `Bearer ${api.issuer.tokens.admin}` };
    const response = await app.request('/api/forgetful', { headers });
    expect([response.status, await response.text()]).toEqual([500, expect.not.stringContaining('Lena')]);
  });
});

describe('a backend that calls for a person', () => {
  const call = (headers: Record<string, string>, to = api) =>
    to.send('GET', '/api/patients/999999', { role: null, headers });

  it('names the person, and the entry contains both', async () => {
    const entries = await auditOf(() => call({ authorization: backend, 'x-actor': 'u-4711' }));
    expect(entries).toEqual([expect.objectContaining({ actor: 'u-4711', via: 'portal-7', role: 'staff' })]);
  });

  it('may be identified by its verified address', async () => {
    const claims = { sub: 'other', role: 'staff', email: 'proxy@example.org' };
    const verified = `Bearer ${await api.issuer.sign({ ...claims, email_verified: true })}`;
    const claimed = `Bearer ${await api.issuer.sign(claims)}`;
    expect((await call({ authorization: verified, 'x-actor': 'u-1' })).status).toBe(404);
    expect((await call({ authorization: claimed, 'x-actor': 'u-1' })).status).toBe(403);
  });

  it('is recorded with the person in the entry of a change', async () => {
    const headers = { authorization: backend, 'x-actor': 'u-4711' };
    const [entry] = await auditOf(() =>
      api.send('POST', '/api/patients', { role: null, headers, body: aBody() }),
    );
    expect(entry).toMatchObject({ actor: 'u-4711', via: 'portal-7', outcome: 'changed' });
  });

  it('shares its Idempotency-Keys among the persons it calls for', async () => {
    const post = async (person: string) => {
      const headers = { authorization: backend, 'x-actor': person, 'idempotency-key': 'shared' };
      return (await api.send('POST', '/api/patients', { role: null, headers, body: aBody() })).body.id;
    };
    expect(await post('u-2')).toBe(await post('u-1'));
  });

  it.each(['', 'lena@example.org', 'Lena Beispiel', 'x'.repeat(101), 'ü'])(
    'may not name %j',
    async (person) => {
      const before = api.lines.length;
      const { status, body } = await call({ authorization: backend, 'x-actor': person });
      expect([status, body.errors.map(({ pointer }) => pointer)]).toEqual([422, ['/X-Actor']]);
      if (person !== '') expect(api.lines.slice(before).join('\n')).not.toContain(person);
    },
  );

  it('is the only caller that may send the header; from others it is refused and not logged', async () => {
    const authorization = `Bearer ${api.issuer.tokens.admin}`;
    const before = api.lines.length;
    const { status, body } = await call({ authorization, 'x-actor': 'u-9999' });
    expect([status, body.type, body.errors[0]?.pointer]).toEqual([
      403,
      'urn:patient-service:problem:auth.actor_refused',
      '/X-Actor',
    ]);
    expect(api.lines.slice(before).join('\n')).not.toContain('u-9999');
  });

  it('must name a person if the configuration requires it; other callers need not', async () => {
    const strict = await startApi({ AUTH_TRUSTED_BACKENDS: 'portal-7', AUTH_REQUIRE_ACTOR: 'true' });
    const authorization = `Bearer ${await strict.issuer.sign({ sub: 'portal-7', role: 'staff' })}`;
    const { status, body } = await call({ authorization }, strict);
    expect([status, body.errors[0]?.pointer]).toEqual([403, '/X-Actor']);
    expect((await call({ authorization, 'x-actor': 'u-1' }, strict)).status).toBe(404);
    expect((await strict.send('GET', '/api/patients/999999')).status).toBe(404);
  });

  it('must be configured before an actor can be required', async () => {
    const config = await readConfig(authVariables, { ...api.issuer.environment, AUTH_REQUIRE_ACTOR: 'true' });
    expect(() => createAuthentication(config)).toThrow('AUTH_TRUSTED_BACKENDS');
  });
});

it('the entry of an erasure survives the death of its process', async () => {
  const { id } = await api.create();
  const [entry] = await auditOf(() => api.send('DELETE', `/api/patients/${id}`));
  expect(entry).toMatchObject({
    actor: 'test-subject',
    role: 'admin',
    outcome: 'changed',
    patient_ids: [id],
  });
  await eventually(async () => {
    const left = await api.db.collection('audit_trail').where('patientId', '==', id).get();
    expect(left.size).toBe(0);
  });
});

it('an erasure that the scheduled run completes names who asked, and through whom', async () => {
  const { id } = await api.create();
  const authorization = `Bearer ${await api.issuer.sign({ sub: 'portal-7', role: 'admin' })}`;
  const headers = { authorization, 'x-actor': 'officer-3' };
  // The ledger cannot be written: the request fails when the patient is gone already.
  vi.spyOn(await api.deps.bucket.client(), 'file').mockImplementation(() => {
    throw new Error('away');
  });
  const [begun] = await auditOf(() => api.send('DELETE', `/api/patients/${id}`, { role: null, headers }));
  vi.restoreAllMocks();
  const completed = await auditOf(() => completeErasures(api.deps));

  const who = { actor: 'officer-3', via: 'portal-7', role: 'admin', patient_ids: [id] };
  expect(begun).toMatchObject({ ...who, outcome: 'changed' });
  expect(completed).toEqual([
    expect.objectContaining({ ...who, outcome: 'erasure_completed', route: 'DELETE /api/patients/{id}' }),
  ]);
});
