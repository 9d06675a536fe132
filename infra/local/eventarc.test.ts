import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { deliverFinalized, type DeliveryOptions, type Finalized } from './eventarc.ts';
import { appendLine } from './lines.ts';

const event = (id: string, bucket = 'import'): Finalized => ({
  id,
  object: { bucket, name: 'incoming/süß.json', timeCreated: '2026-08-01T09:10:11.000Z' },
});

let dir: string;
let journal: string;
const deliverers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'eventarc-'));
  journal = join(dir, 'finalized.jsonl');
});
afterEach(async () => {
  // Before the folder is removed: a deliverer that still follows the journal would fail.
  await Promise.all(deliverers.splice(0).map((stop) => stop()));
  await rm(dir, { recursive: true, force: true });
});

/** A function that answers with the given statuses, in turn, and then with 204. */
async function functionAnswering(...statuses: number[]) {
  const calls: { headers: IncomingHttpHeaders; at: number }[] = [];
  const server = createServer((request, response) => {
    calls.push({ headers: request.headers, at: Date.now() });
    response.writeHead(statuses.shift() ?? 204).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { calls, target: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** Starts a deliverer on this test's journal. @returns a function that ends it, as a restart would */
function deliver(target: string, options: Partial<DeliveryOptions> = {}): () => Promise<void> {
  const stopped = new AbortController();
  const delivering = deliverFinalized({
    journal,
    delivered: join(dir, 'delivered.jsonl'),
    target,
    bucket: 'import',
    minBackoffMs: 40,
    maxBackoffMs: 200,
    copies: 1,
    signal: stopped.signal,
    ...options,
  });
  const stop = async () => {
    stopped.abort();
    await delivering;
  };
  deliverers.push(stop);
  return stop;
}

it('delivers a binary CloudEvent with the headers of Eventarc', async () => {
  const { calls, target } = await functionAnswering();
  deliver(target);
  appendLine(journal, event('one'));
  await eventually(() => expect(calls).toHaveLength(1));
  expect(calls[0]?.headers).toMatchObject({
    'ce-specversion': '1.0',
    'ce-id': 'one',
    'ce-type': 'google.cloud.storage.object.v1.finalized',
    'ce-source': '//storage.googleapis.com/projects/_/buckets/import',
    'ce-subject': 'objects/incoming/s%C3%BC%C3%9F.json',
    'ce-time': '2026-08-01T09:10:11.000Z',
    'content-type': 'application/json',
  });
});

it('waits longer after each refusal, and stops once the event is acknowledged', async () => {
  const { calls, target } = await functionAnswering(500, 503, 500);
  deliver(target);
  appendLine(journal, event('one'));
  await eventually(() => expect(calls).toHaveLength(4));
  const waits = calls.slice(1).map(({ at }, index) => at - Number(calls[index]?.at));
  expect(waits[0]).toBeGreaterThanOrEqual(39);
  expect(waits[1]).toBeGreaterThanOrEqual(79);
  expect(waits[2]).toBeGreaterThanOrEqual(159);
  await delay(300);
  expect(calls).toHaveLength(4);
});

it('delivers unacknowledged events after a restart, and no others', async () => {
  appendLine(journal, event('done'));
  const first = await functionAnswering();
  const stop = deliver(first.target);
  await eventually(() => expect(first.calls).toHaveLength(1));
  await eventually(async () =>
    expect(await readFile(join(dir, 'delivered.jsonl'), 'utf8')).toContain('done'),
  );
  await stop();
  appendLine(journal, event('left'));
  const second = await functionAnswering();
  deliver(second.target);
  await eventually(() => expect(second.calls.map(({ headers }) => headers['ce-id'])).toEqual(['left']));
});

it('continues after a line that was torn by a kill', async () => {
  await appendFile(journal, '{"id":"torn","obj');
  appendLine(journal, event('whole'));
  const { calls, target } = await functionAnswering();
  deliver(target);
  await eventually(() => expect(calls.map(({ headers }) => headers['ce-id'])).toEqual(['whole']));
});

it('keeps trying while the function is unreachable', async () => {
  const { calls, target } = await functionAnswering();
  const away = deliver('http://127.0.0.1:9/');
  appendLine(journal, event('one'));
  await delay(150);
  await away();
  deliver(target);
  await eventually(() => expect(calls).toHaveLength(1));
});

it('delivers copies when a test asks for them', async () => {
  const { calls, target } = await functionAnswering();
  deliver(target, { copies: 3 });
  appendLine(journal, event('one'));
  await eventually(() => expect(calls.map(({ headers }) => headers['ce-id'])).toEqual(['one', 'one', 'one']));
});

it('ignores other buckets', async () => {
  const { calls, target } = await functionAnswering();
  deliver(target);
  appendLine(journal, event('foreign', 'another'));
  appendLine(journal, event('ours'));
  await eventually(() => expect(calls.map(({ headers }) => headers['ce-id'])).toEqual(['ours']));
});
