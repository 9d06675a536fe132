/** The API behind functions-framework over real sockets. Checks that the framework does not interfere. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Running } from '../../infra/local/process.ts';
import { aBody, startIssuer } from '../support/api.ts';
import { buildApi } from '../support/served-api.ts';

let build: Awaited<ReturnType<typeof buildApi>>;
let api: Running & { url: string };
let authorization: string;
let environment: Record<string, string>;
beforeAll(async () => {
  build = await buildApi();
  const issuer = await startIssuer();
  authorization = `Bearer ${issuer.tokens.admin}`;
  const name = `served-${randomUUID().slice(0, 8)}`;
  environment = { GOOGLE_CLOUD_PROJECT: name, GCS_IMPORT_BUCKET: name, ...issuer.environment };
  api = await build.start(environment);
});
afterAll(async () => {
  await api.stop();
  await build.remove();
});

/** Sends chunks without a length until the server closes the connection. */
function sendChunks(
  method: string,
  path: string,
  chunks: Iterable<Buffer>,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sending = request(`${api.url}${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
    });
    let answered = false;
    sending.on('response', (response) => {
      answered = true;
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('close', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sending.on('error', (error) => (answered ? undefined : reject(error)));
    for (const chunk of chunks) sending.write(chunk);
    sending.end();
  });
}

const post = (body: BodyInit, headers: Record<string, string> = {}) =>
  fetch(`${api.url}/api/patients`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', ...headers },
    body,
  });

describe('bodies', () => {
  it('reach the application, with and without a length', async () => {
    expect((await post(JSON.stringify(aBody()))).status).toBe(201);
    const chunked = await sendChunks('POST', '/api/patients', [
      Buffer.from(JSON.stringify(aBody()).slice(0, 20)),
      Buffer.from(JSON.stringify(aBody()).slice(20)),
    ]);
    expect(chunked.status).toBe(201);
  });

  it.each([
    ['malformed JSON', 400, '{"vorname": ', {}],
    ['invalid UTF-8', 400, Uint8Array.of(0x7b, 0xff, 0x7d), {}],
    ['nothing', 400, '', {}],
    ['a form', 415, 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['an unknown charset', 415, '{}', { 'content-type': 'application/json; charset=x' }],
    ['an unknown coding', 415, '{}', { 'content-encoding': 'x' }],
    ['2 MiB', 413, Buffer.alloc(2 * 2 ** 20, ' '), {}],
  ])('that are %s get a problem document with %i', async (_, status, body, headers) => {
    const response = await post(body as BodyInit, headers);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ status });
  });

  it('of 2 MiB in chunks are refused before they are complete', async () => {
    const { status, text } = await sendChunks(
      'POST',
      '/api/patients',
      Array(32).fill(Buffer.alloc(65_536, ' ')),
    );
    expect(status).toBe(413);
    expect(JSON.parse(text)).toMatchObject({ status: 413 });
  });

  it('that do not arrive get 408 after ten seconds, and the connection is closed', async () => {
    const { hostname, port } = new URL(api.url);
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(Number(port), hostname, () => {
        const head = ['POST /api/patients HTTP/1.1', 'host: x', `authorization: ${authorization}`];
        socket.write(
          [...head, 'content-type: application/json', 'content-length: 100', '', '{'].join('\r\n'),
        );
      });
      socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toMatch(/^connection: close\r$/im);
    expect(answer).toContain('urn:patient-service:problem:request.body_timed_out');
  });

  it('of unauthenticated callers are not read', async () => {
    const response = await post(Buffer.alloc(2 * 2 ** 20), { authorization: 'Bearer x.y.z' });
    expect(response.status).toBe(401);
    expect((await fetch(`${api.url}/livez`)).status).toBe(200);
  });
});

describe('a request to which the framework would respond itself', () => {
  it.each([
    ['/api/patients/%ff', 400],
    ['/%', 400],
    ['/api/patients?search=%ff', 400],
    ['/favicon.ico', 404],
    ['/robots.txt', 404],
  ])('%s gets a problem document with %i', async (target, status) => {
    const response = await fetch(`${api.url}${target}`, { headers: { authorization } });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ status });
  });

  it('reaches the application with its query', async () => {
    const response = await fetch(`${api.url}/api/patients?limit=7&search=%25`, {
      headers: { authorization },
    });
    expect(await response.json()).toMatchObject({ limit: 7, total: 0 });
  });

  it('gets a problem document even without a host', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const { hostname, port } = new URL(api.url);
      const socket = connect(Number(port), hostname, () => socket.write('GET /livez HTTP/1.0\r\n\r\n'));
      let text = '';
      socket
        .on('data', (chunk) => (text += chunk.toString()))
        .on('end', () => resolve(text))
        .on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('application/problem+json');
  });
});

describe('the page', () => {
  it('loads all its files from the service and may contact no other host', async () => {
    const page = await fetch(`${api.url}/docs`);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const files = [...(await page.text()).matchAll(/(?:src|href)="(docs\/[^"]+)"/g)].map(([, file]) => file);
    expect(files).toHaveLength(3);
    for (const file of files) expect((await fetch(`${api.url}/${file}`)).status).toBe(200);
    expect((await fetch(`${api.url}/docs/..%2findex.js`)).status).toBe(404);
    expect((await fetch(`${api.url}/docs/constructor`)).status).toBe(404);
  });
});

describe('the process', () => {
  it('continues the trace of the caller in its logs', async () => {
    const traceId = randomUUID().replaceAll('-', '');
    await fetch(`${api.url}/livez`, { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } });
    expect(await readFile(build.logFile, 'utf8')).toContain(`/traces/${traceId}`);
  });

  it('loads the client of Cloud Storage for the first call that needs it, and not for a GET', async () => {
    const logged = `import { registerHooks } from 'node:module';
      registerHooks({ load: (url, context, next) => (console.error('loaded ' + url), next(url, context)) });`;
    const observed = await build.start({
      ...environment,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(logged)}`,
    });
    const loaded = async () => {
      const files = [...(await readFile(build.logFile, 'utf8')).matchAll(/^loaded (file:.*)$/gm)];
      const texts = await Promise.all(files.map(([, url = '']) => readFile(new URL(url), 'utf8')));
      const names = texts.flatMap((text) => [
        ...text.matchAll(/^\s*\/\/ node_modules\/((?:@[^/\n]+\/)?[^/\n]+)/gm),
      ]);
      return new Set(names.map(([, name]) => name));
    };
    try {
      const headers = { authorization, 'content-type': 'application/json' };
      expect((await fetch(`${observed.url}/api/patients`, { headers })).status).toBe(200);
      const byGet = await loaded();
      expect(byGet).toContain('@google-cloud/firestore');
      for (const name of ['@google-cloud/storage', '@google-cloud/secret-manager', 'swagger-ui-dist'])
        expect(byGet).not.toContain(name);

      const body = JSON.stringify(aBody());
      const posted = await fetch(`${observed.url}/api/patients`, { method: 'POST', headers, body });
      expect(posted.status).toBe(201);
      expect(await loaded()).toContain('@google-cloud/storage');
    } finally {
      await observed.stop();
    }
  });

  it('does not start without a configuration and names every missing variable', async () => {
    const start = build.start({ GOOGLE_CLOUD_PROJECT: '', GCS_IMPORT_BUCKET: '' });
    await expect(start).rejects.toThrow();
    const log = await readFile(build.logFile, 'utf8');
    expect(log).toContain('GCS_IMPORT_BUCKET is not set; GOOGLE_CLOUD_PROJECT is not set');
  });
});
