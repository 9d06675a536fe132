import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { guard, pageHeaders } from './guard.ts';

const OWN = 'http://127.0.0.1:8085';
const app = new Hono()
  .use(guard(8085))
  .use(pageHeaders)
  .all('*', (call) => call.text('done'));

const ask = async (method: string, headers: Record<string, string>) =>
  (await app.request('/local/parts/kafka', { method, headers: { host: '127.0.0.1:8085', ...headers } }))
    .status;

describe('the guard of the page', () => {
  it('lets the page read and change', async () => {
    expect(await ask('GET', {})).toBe(200);
    expect(await ask('GET', { 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(await ask('POST', { origin: OWN, 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(await ask('POST', { host: 'localhost:8085', origin: 'http://localhost:8085' })).toBe(200);
  });

  it.each([
    [
      'a foreign name that resolves to this machine',
      { host: 'evil.example:8085', origin: 'http://evil.example:8085' },
    ],
    ['another port', { host: '127.0.0.1:80' }],
  ])('refuses a request by %s', async (_, headers) => {
    expect(await ask('GET', headers)).toBe(421);
    expect(await ask('POST', headers)).toBe(421);
  });

  it.each([
    ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['another port of this machine', { origin: 'http://127.0.0.1:3000', 'sec-fetch-site': 'same-site' }],
    ['a sandboxed frame or a file', { origin: 'null' }],
    ['a request without an origin', {}],
  ])('refuses a change from %s', async (_, headers) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) expect(await ask(method, headers)).toBe(403);
  });

  it('refuses scripts of another origin, and accepts links from there', async () => {
    expect(await ask('GET', { origin: 'https://evil.example' })).toBe(403);
    expect(await ask('GET', { 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'script' })).toBe(403);
    expect(await ask('GET', { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'document' })).toBe(200);
  });

  it('allows no other origin to read, no frame, no code but its own', async () => {
    const { headers } = await app.request('/', { headers: { host: '127.0.0.1:8085' } });
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('content-security-policy')).toContain("script-src 'self';");
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('content-security-policy')).not.toContain('unsafe');
  });
});
