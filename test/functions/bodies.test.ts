/**
 * Sends harmful bodies to import-registration and check-health over real sockets. Each gets a quick response, uses little
 * memory and leaves no trace of its content in a log. functions-framework alone would unpack and log them.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Running } from '../../infra/local/process.ts';
import { mailSettings } from '../support/import-world.ts';
import { buildApi } from '../support/served-api.ts';

const MIB = 2 ** 20;
/** Memory that a body may add to a process that has just started. */
const MORE_MIB = 64;

const functions = [
  ['import-registration', '/'],
  ['check-health', '/run'],
] as const;

describe.each(functions)('%s', (deployable, path) => {
  let build: Awaited<ReturnType<typeof buildApi>>;
  let served: Running & { url: string };
  const name = `bodies-${randomUUID().slice(0, 8)}`;
  beforeAll(async () => {
    build = await buildApi(deployable, (url) => fetch(url).then(({ status }) => status < 500));
    served = await build.start({ GOOGLE_CLOUD_PROJECT: name, GCS_IMPORT_BUCKET: name, ...mailSettings });
  });
  afterAll(async () => {
    await served.stop();
    await build.remove();
  });

  const post = (body: BodyInit, headers: Record<string, string> = {}) =>
    fetch(served.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });

  /** Sends raw HTTP bytes. Resolves with the response when the connection has ended. */
  function sendRaw(head: string[], body: (socket: Socket) => void, target: string = path): Promise<string> {
    const { hostname, port } = new URL(served.url);
    return new Promise((resolve) => {
      let answer = '';
      const socket = connect(Number(port), hostname, () => {
        socket.write([`POST ${target} HTTP/1.1`, 'host: x', ...head, '', ''].join('\r\n'));
        body(socket);
      });
      socket.on('data', (bytes: Buffer) => (answer += bytes.toString()));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(answer));
    });
  }

  /** Peak memory of the process in MiB: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
  async function peakMemory(): Promise<number> {
    const status = await readFile(`/proc/${served.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  }

  it('does not unpack a compressed body', async () => {
    const before = await peakMemory();
    const member = gzipSync(Buffer.alloc(20 * MIB, 0x20), { level: 9 });
    const bomb = Buffer.concat(Array.from({ length: 15 }, () => member));
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => post(bomb, { 'content-encoding': 'gzip' })),
    );
    expect(answers.map(({ status }) => status)).toEqual([415, 415, 415, 415]);
    expect((await peakMemory()) - before).toBeLessThan(MORE_MIB);
  });

  it('refuses more than 1 MiB, announced or not', async () => {
    const large = Buffer.alloc(2 * MIB, 0x20);
    expect((await post(large)).status).toBe(413);
    const stream = new ReadableStream({
      start(controller) {
        for (let sent = 0; sent < large.length; sent += 65_536) {
          controller.enqueue(large.subarray(sent, sent + 65_536));
        }
        controller.close();
      },
    });
    const init = { method: 'POST', body: stream, duplex: 'half' } as RequestInit;
    expect((await fetch(served.url + path, init)).status).toBe(413);
  });

  it('cuts off a body that does not end', async () => {
    const before = await peakMemory();
    let sent = 0;
    const answer = await sendRaw(['transfer-encoding: chunked'], (socket) => {
      const chunk = Buffer.concat([
        Buffer.from('10000\r\n'),
        Buffer.alloc(65_536, 0x20),
        Buffer.from('\r\n'),
      ]);
      // Only as fast as the process takes it: a busy one may take nothing for seconds.
      const more = () => {
        while (sent < 64 * MIB) {
          sent += 65_536;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on('drain', more);
      more();
    });
    // A sender that still writes when the connection is cut may lose the answer that it has not read yet.
    expect(answer).toMatch(/^HTTP\/1\.1 413 |^$/);
    expect(sent).toBeLessThan(64 * MIB);
    expect((await peakMemory()) - before).toBeLessThan(MORE_MIB);
  });

  it('waits ten seconds for a missing body and serves other requests meanwhile', async () => {
    const waiting = sendRaw(['content-length: 100'], (socket) => void socket.write('{'));
    expect((await post('{')).status).toBe(400);
    expect(await waiting).toMatch(/^HTTP\/1\.1 408 /);
  });

  it.each<[string, string | Uint8Array]>([
    ['broken JSON', '{"vorname": "Geheimnis'],
    ['another encoding', Buffer.from('{"nachname": "Geheimnis"}', 'utf16le')],
    ['arrays without end', `"Geheimnis"${'['.repeat(500_000)}`],
  ])('responds to %s with 400 and logs nothing of it', async (_, body) => {
    const answer = await post(body as BodyInit);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await answer.text()).not.toContain('Geheimnis');
    expect(await readFile(build.logFile, 'utf8')).not.toMatch(/Geheimnis|SyntaxError|\n {4}at /);
  });

  it.each(['http://[::1/run', '//', '*', '/%ff', '/run?%ff#'])('survives the target %s', async (target) => {
    const answer = await sendRaw(['content-length: 0', 'connection: close'], () => undefined, target);
    expect(answer).toMatch(/^HTTP\/1\.1 [24]/);
  });

  it('does not accept a form as JSON', async () => {
    const answer = await post('vorname=Geheimnis', { 'content-type': 'application/x-www-form-urlencoded' });
    expect(answer.status).toBe(400);
  });

  if (deployable !== 'import-registration') return;

  it('ignores an object whose name is no text', async () => {
    const object = { bucket: name, name: 'incoming/\ud800.json', generation: '1', size: '1' };
    const event = { ...object, timeCreated: '2026-11-02T09:00:00Z' };
    expect((await post(JSON.stringify(event))).status).toBe(204);
  });
});
