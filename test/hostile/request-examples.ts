/** Hostile requests to the HTTP functions. */
import { createPrivateKey, randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { AUDIENCE } from '../../infra/local/issuer.ts';
import { aBody } from '../support/api.ts';
import { gzipBomb, heapOfMarks } from './file-examples.ts';
import type { HostileWorld } from './world.ts';

export function requestExamples(world: () => HostileWorld): void {
  const post = (fields: Record<string, unknown>, headers: Record<string, string> = {}) =>
    world().request('POST', '/api/patients', { body: aBody(fields), headers });

  describe('a text that is slow to normalise', () => {
    it('is refused for its length', async () => {
      const { status, body } = await post({ vorname: heapOfMarks(60_000) });
      expect([status, body['errors']]).toMatchObject([422, [{ pointer: '/vorname' }]]);
    });

    it('is refused in a search and in a reason too', async () => {
      const { request, create } = world();
      const search = encodeURIComponent(heapOfMarks(2_000));
      expect((await request('GET', `/api/patients?search=${search}`)).status).toBe(422);
      const body = { ausgeschlossene_therapeuten: [{ id: 1, reason: heapOfMarks(300_000) }] };
      expect((await request('PATCH', `/api/patients/${await create()}`, { body })).status).toBe(422);
    });
  });

  describe('a text', () => {
    it.each<[string, Record<string, unknown>]>([
      ['of a letter that is none', { vorname: '\u200b' }],
      ['with a NUL', { nachname: 'Bei\u0000spiel' }],
      ['with a control character', { ort: 'Köln\u001b[31m' }],
      ['that is written backwards', { strasse: 'Weg \u202e1' }],
    ])('%s is refused', async (_, fields) => {
      const { status, body } = await post(fields);
      expect([status, body['errors']]).toMatchObject([422, [{ pointer: `/${Object.keys(fields)[0]}` }]]);
    });

    it.each<[Record<string, unknown>, Record<string, unknown>]>([
      [{ vorname: '  Lena ' }, { vorname: 'Lena' }],
      [{ email: ' info@müller.de ' }, { email: 'info@müller.de' }],
      [{ telefon: '030 12345 ext. 5' }, { telefon: '030 12345 ext. 5' }],
      [{ telefon: '0171 1234567 (Mutter)' }, { telefon: '0171 1234567 (Mutter)' }],
    ])('%j is stored as %j', async (given, stored) => {
      const { status, body } = await post(given);
      expect([status, body]).toMatchObject([201, stored]);
    });
  });

  describe('a header', () => {
    it.each(['application/json; charset=utf8', 'application/json;', 'application/json; charset="UTF-8";'])(
      'Content-Type: %s is JSON',
      async (type) => {
        expect((await post({}, { 'content-type': type })).status).toBe(201);
      },
    );

    it('Idempotency-Key belongs to its caller', async () => {
      const headers = { 'idempotency-key': randomUUID() };
      const [one, other] = await Promise.all(
        (['staff', 'admin'] as const).map((role) =>
          world().request('POST', '/api/patients', { role, headers, body: aBody({ vorname: role }) }),
        ),
      );
      expect([one?.status, other?.status]).toEqual([201, 201]);
      expect(one?.body['id']).not.toBe(other?.body['id']);
    });

    it('Authorization must name a caller', async () => {
      const { stack, request } = world();
      const pem = await readFile(join(dirname(stack.dropFolder), 'data/issuer.pem'), 'utf8');
      const token = await new SignJWT({ role: 'admin', sub: '' })
        .setProtectedHeader({ alg: 'RS256', kid: 'local' })
        .setIssuer(`http://127.0.0.1:${stack.settings.ports.issuer}`)
        .setAudience(AUDIENCE)
        .setExpirationTime('1h')
        .sign(createPrivateKey(pem));
      expect((await request('GET', '/api/patients', { token })).status).toBe(401);
    });
  });

  it('a path that is not UTF-8 is answered by a problem document', async () => {
    const { status, headers } = await world().request('GET', '/api/patients/%ff');
    expect([status, headers.get('content-type')]).toEqual([400, 'application/problem+json']);
  });

  it('a change excludes at most 100 therapists', async () => {
    const ids = (count: number) => Array.from({ length: count }, (_, n) => n + 1);
    const path = `/api/patients/${await world().create()}`;
    const exclude = (count: number) =>
      world().request('PATCH', path, { body: { ausgeschlossene_therapeuten: ids(count) } });
    expect((await exclude(101)).status).toBe(422);
    expect((await exclude(100)).status).toBe(200);
    expect((await exclude(101)).status).toBe(200);
  });

  describe('a compressed body', () => {
    it.each(['import', 'health'] as const)('of a gigabyte does not fill the memory of %s', async (part) => {
      const { stack } = world();
      const { pids } = stack.describe();
      const url = `http://127.0.0.1:${stack.settings.ports[part]}/`;
      const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
      const before = await peakMemory(pids[part]!);
      const answer = await fetch(url, { method: 'POST', headers, body: new Uint8Array(gzipBomb(1_024)) });
      await answer.arrayBuffer();
      expect(answer.status).toBeLessThan(500);
      expect((await peakMemory(pids[part]!)) - before).toBeLessThan(150);
      expect(stack.describe().pids).toEqual(pids);
    });

    it.each(['import', 'health'] as const)('that is not JSON is not logged by %s', async (part) => {
      const { stack } = world();
      const url = `http://127.0.0.1:${stack.settings.ports[part]}/`;
      for (const [encoding, body] of [
        ['gzip', new Uint8Array(gzipSync('{"nachname": "Geheimnis'))],
        ['identity', '{"nachname": "Geheimnis'],
      ] as const) {
        const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
        await (await fetch(url, { method: 'POST', headers, body })).arrayBuffer();
      }
      expect(await stack.logs()).not.toContain('Geheimnis');
    });
  });

  it('an HMAC key of fewer than 32 bytes is refused at start', async () => {
    await expect(world().startedWith({ REGISTRATION_HMAC_KEY: 'short' })).rejects.toThrow(
      'REGISTRATION_HMAC_KEY',
    );
  });

  describe('the local stack', () => {
    it('listens on loopback only', async () => {
      const ports = new Set(Object.values(world().stack.settings.ports));
      const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8')));
      const listening = tables.flatMap((table) => [...table.matchAll(/: (\w+):(\w{4}) \w+:0000 0A/g)]);
      const open = listening
        .filter(([, , port = '']) => ports.has(Number.parseInt(port, 16)))
        .map(([, address = '', port = '']) => ({ address, port: Number.parseInt(port, 16) }));
      expect(open.length).toBeGreaterThan(5);
      // 127.0.0.1, also as an IPv6 address.
      expect(open.filter(({ address }) => !address.endsWith('0100007F'))).toEqual([]);
    });

    it('lets only its owner read the tokens', async () => {
      const { mode } = await stat(join(dirname(world().stack.dropFolder), 'stack.json'));
      expect(mode & 0o777).toBe(0o600);
    });
  });

  describe('a search', () => {
    it.each<[string, Record<string, unknown>, string[]]>([
      ['apostrophes are alike', { nachname: 'O’Neillus' }, ["o'neillus", 'o’neillus', 'oʼneillus']],
      [
        'letters without a decomposition',
        { vorname: 'Łukaszek', nachname: 'Sørđæk' },
        ['lukaszek', 'sordaek'],
      ],
      [
        'each of several words',
        { vorname: 'Evana', nachname: 'Proband' },
        ['evana proband', ' proband  evana '],
      ],
    ])('finds %s', async (_, fields, terms) => {
      const id = await world().create(fields);
      for (const term of terms) {
        const { body } = await world().request('GET', `/api/patients?search=${encodeURIComponent(term)}`);
        const found = (body['data'] as { id: number }[]).map((one) => one.id);
        expect(found, `found by ${term}`).toContain(id);
      }
    });

    it('requires every word to match', async () => {
      const id = await world().create({ vorname: 'Evana', nachname: 'Muster' });
      const { body } = await world().request('GET', '/api/patients?search=evana%20proband');
      expect((body['data'] as { id: number }[]).map((one) => one.id)).not.toContain(id);
    });
  });
}

/** The peak memory of a process, in MiB. */
async function peakMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
}
