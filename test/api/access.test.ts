/** Access control: every route of the table with every invalid token and every weaker role. */
import { createServer } from 'node:http';
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { routes } from '../../functions/patients-api/routes/index.ts';
import { AUDIENCE, KEY_ID } from '../../infra/local/issuer.ts';
import { authVariables, createAuthentication, ROLES } from '../../shared/platform/auth.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { aBody, startApi, type Api } from '../support/api.ts';

const guarded = routes.filter((route) => route.role !== undefined);
const open = routes.filter((route) => route.role === undefined && route.path !== '/docs/{file}');

let api: Api;
let faulty: Record<string, string | undefined>;
beforeAll(async () => {
  api = await startApi();
  const { sign, publicKey, environment } = api.issuer;
  const claims = { iss: environment.AUTH_ISSUER, aud: AUDIENCE, sub: 's', role: 'admin' };
  const stranger = await generateKeyPair('RS256');
  faulty = {
    'no token': undefined,
    'an empty header': '',
    'another scheme': `Basic ${Buffer.from('a:b').toString('base64')}`,
    nonsense: 'Bearer x.y.z',
    'an expired token': `Bearer ${await sign({ role: 'admin' }, '-1m')}`,
    'another audience': `Bearer ${await sign({ role: 'admin', aud: 'other' })}`,
    'another issuer': `Bearer ${await sign({ role: 'admin', iss: 'https://other.example' })}`,
    'alg none': `Bearer ${new UnsecuredJWT(claims).setExpirationTime('1h').encode()}`,
    'HS256 with the public key': `Bearer ${await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', kid: KEY_ID })
      .setExpirationTime('1h')
      .sign(Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })))}`,
    'an unknown key': `Bearer ${await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: KEY_ID })
      .setExpirationTime('1h')
      .sign(stranger.privateKey)}`,
    'no expiry': `Bearer ${await sign({ role: 'admin', exp: undefined })}`,
    'no subject': `Bearer ${await sign({ role: 'admin', sub: undefined })}`,
    'an empty subject': `Bearer ${await sign({ role: 'admin', sub: '' })}`,
    'a blank subject': `Bearer ${await sign({ role: 'admin', sub: '  ' })}`,
    'a subject that is not a string': `Bearer ${await sign({ role: 'admin', sub: 7 })}`,
    'a subject of 256 characters': `Bearer ${await sign({ role: 'admin', sub: 'x'.repeat(256) })}`,
    'a subject with a line break': `Bearer ${await sign({ role: 'admin', sub: 'a\nb' })}`,
  };
});

describe.each(guarded.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', (_, route) => {
  const path = route.path.replace('{id}', '1');

  it('responds with 401 to every invalid token and reveals nothing else', async () => {
    for (const [what, authorization] of Object.entries(faulty)) {
      const headers = authorization === undefined ? {} : { authorization };
      const { status, body, headers: answered } = await api.send(route.method, path, { role: null, headers });
      expect([what, status]).toEqual([what, 401]);
      expect(answered.get('www-authenticate')).toBe('Bearer');
      expect(body.errors).toEqual([]);
    }
  });

  it('responds with 403 to a token without a role and to every weaker role', async () => {
    const without = `Bearer ${await api.issuer.sign({})}`;
    const unknown = `Bearer ${await api.issuer.sign({ role: 'root' })}`;
    for (const authorization of [without, unknown]) {
      const { status } = await api.send(route.method, path, { role: null, headers: { authorization } });
      expect(status).toBe(403);
    }
    for (const role of ROLES.slice(0, ROLES.indexOf(route.role!))) {
      expect((await api.send(route.method, path, { role })).status).toBe(403);
    }
  });

  it('accepts its role', async () => {
    const { status } = await api.send(route.method, path, { role: route.role! });
    expect([401, 403]).not.toContain(status);
  });
});

describe('the open routes', () => {
  it.each(open.map((route) => route.path))('include %s, which requires no token', async (path) => {
    expect((await api.send('GET', path, { role: null })).status).toBe(200);
  });

  it('do not include any other path below /api, existing or not', async () => {
    expect((await api.send('GET', '/api/other', { role: null })).status).toBe(401);
    expect((await api.send('OPTIONS', '/api/patients', { role: null })).status).toBe(401);
    expect((await api.send('GET', '/api/other')).status).toBe(404);
    expect((await api.send('GET', '/other', { role: null })).status).toBe(404);
  });
});

describe('the role', () => {
  const roleFor = async (environment: Record<string, string>, claims: Record<string, unknown>) => {
    const authenticate = createAuthentication(
      await readConfig(authVariables, { ...api.issuer.environment, AUTH_ROLE_CLAIM: '', ...environment }),
    );
    return authenticate(`Bearer ${await api.issuer.sign(claims)}`).then(
      (caller) => caller.role,
      (error) => error.code as string,
    );
  };
  const lists = { AUTH_READERS: 'a@example.org', AUTH_STAFF: 'b@example.org, a@example.org' };

  it('is the strongest one that a list grants to a verified address', async () => {
    expect(await roleFor(lists, { email: 'a@example.org', email_verified: true })).toBe('staff');
    expect(await roleFor(lists, { email: 'a@example.org' })).toBeUndefined();
    expect(await roleFor(lists, { email: 'x@example.org', email_verified: true })).toBeUndefined();
  });

  it('may be one of several in a claim', async () => {
    expect(await roleFor({ AUTH_ROLE_CLAIM: 'roles' }, { roles: ['x', 'staff', 'reader'] })).toBe('staff');
  });
});

describe('the start', () => {
  const start = async (environment: Record<string, string>) =>
    createAuthentication(await readConfig(authVariables, environment));

  it.each(['AUTH_ISSUER', 'AUTH_AUDIENCE', 'AUTH_ROLE_CLAIM'])('is refused without %s', async (name) => {
    await expect(start({ ...api.issuer.environment, [name]: '' })).rejects.toThrow('must be set');
  });

  it('succeeds against an emulator without configuration, but refuses every caller', async () => {
    const authenticate = await start({ FIRESTORE_EMULATOR_HOST: '127.0.0.1:1' });
    await expect(authenticate(`Bearer ${api.issuer.tokens.admin}`)).rejects.toMatchObject({
      code: 'auth.unauthenticated',
    });
  });

  it('does not need the keys; without them a caller gets 503 with Retry-After', async () => {
    const broken = createServer((_, response) => response.writeHead(500).end()).listen(0, '127.0.0.1');
    await new Promise((resolve) => broken.once('listening', resolve));
    const port = (broken.address() as { port: number }).port;
    const authenticate = await start({
      ...api.issuer.environment,
      AUTH_JWKS_URL: `http://127.0.0.1:${port}/keys`,
    });
    await expect(authenticate(`Bearer ${api.issuer.tokens.admin}`)).rejects.toMatchObject({
      code: 'auth.keys_unavailable',
    });
    broken.close();
  });
});

describe('the audit trail', () => {
  it('has one line for each write, with ids and field names only', async () => {
    const { body } = await api.send('POST', '/api/patients', { role: 'staff', body: aBody() });
    await api.send('PATCH', `/api/patients/${body.id}`, { role: 'staff', body: { ort: 'Köln' } });
    await api.send('PATCH', `/api/patients/${body.id}`, { role: 'staff', body: { ort: 'Köln' } });
    await api.send('DELETE', `/api/patients/${body.id}`);
    const audited = api.lines
      .map((line) => JSON.parse(line))
      .filter((line) => line.message === 'audit' && line.patient_id === body.id);
    expect(
      audited.map(({ actor, role, method, route, fields }) => ({ actor, role, method, route, fields })),
    ).toEqual([
      {
        actor: 'test-subject',
        role: 'staff',
        method: 'POST',
        route: 'POST /api/patients',
        fields: ['anrede', 'geschlecht', 'vorname', 'nachname'],
      },
      {
        actor: 'test-subject',
        role: 'staff',
        method: 'PATCH',
        route: 'PATCH /api/patients/{id}',
        fields: ['ort'],
      },
      {
        actor: 'test-subject',
        role: 'admin',
        method: 'DELETE',
        route: 'DELETE /api/patients/{id}',
        fields: [],
      },
    ]);
  });
});

describe('browsers', () => {
  it('may call from another origin only if it is configured', async () => {
    const preflight = { origin: 'https://app.example', 'access-control-request-method': 'PATCH' };
    const closed = await api.send('OPTIONS', '/api/patients/1', { role: null, headers: preflight });
    expect(closed.headers.get('access-control-allow-origin')).toBeNull();
    const configured = await startApi({ CORS_ORIGINS: 'https://app.example' });
    const allowed = await configured.send('OPTIONS', '/api/patients/1', { role: null, headers: preflight });
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example');
    const other = { ...preflight, origin: 'https://evil.example' };
    const refused = await configured.send('OPTIONS', '/api/patients/1', { role: null, headers: other });
    expect(refused.headers.get('access-control-allow-origin')).toBeNull();
  });
});
