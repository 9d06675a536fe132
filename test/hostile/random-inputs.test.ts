/**
 * Ten thousand random inputs and a ledger: each input ends as applied, refused with a reason, ignored and counted, or a
 * dead letter, and the sums agree. Each run uses a new seed and prints it: RANDOM_INPUTS_SEED=4711 repeats a run, and
 * RANDOM_INPUTS_COUNT sets the number of inputs. In .ci/run the seed is fixed, so that a failure there is caused by the
 * change under test.
 */
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request as httpRequest } from 'node:http';
import { fc } from '../support/properties.ts';
import pLimit from 'p-limit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordIdOf, type ImportRecord } from '../../shared/store/imports.ts';
import { aBody } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { assertNoGaps, assertRepeatsAreExact } from '../support/history.ts';
import { rawProducer } from '../support/raw-producer.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import {
  fileInput,
  kafkaInput,
  MARK,
  requestInput,
  type FileInput,
  type KafkaInput,
  type RequestInput,
} from './arbitrary-inputs.ts';

const COUNT = Number(process.env['RANDOM_INPUTS_COUNT'] ?? 10_000);
const FILES = Math.round(COUNT * 0.05);
const REQUESTS = Math.round(COUNT * 0.25);
const MESSAGES = COUNT - FILES - REQUESTS;
const seed = Number(process.env['RANDOM_INPUTS_SEED'] ?? randomInt(2 ** 31));

const BATCH_BYTES = 800_000;
const PATIENTS = 50;
const SETTLED_WITHIN_MS = 240_000;

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
}, 300_000);
afterAll(() => stack?.stop());

it(
  `keeps account of ${COUNT} inputs (RANDOM_INPUTS_SEED=${seed})`,
  { timeout: 3 * SETTLED_WITHIN_MS },
  async () => {
    console.log(`random inputs: RANDOM_INPUTS_SEED=${seed}`);
    const patients = await createPatients();
    const { pids } = stack.describe();
    const sample = <T>(inputs: fc.Arbitrary<T>, numRuns: number) => fc.sample(inputs, { seed, numRuns });

    // One kind after the other: concurrently they would wait for each other's locks in the Firestore emulator.
    const requests = await timed('requests', () => sendRequests(sample(requestInput(patients), REQUESTS)));
    const files = await timed('files', () => uploadFiles(sample(fileInput, FILES)));
    const messages = await timed('messages', () => sendMessages(sample(kafkaInput(patients), MESSAGES)));

    // The mails of imported files also cause events on a topic.
    expect(sum(messages)).toBeGreaterThanOrEqual(MESSAGES);
    expect(sum(files)).toBe(FILES);
    expect(sum(requests)).toBe(REQUESTS);
    expect(stack.describe().pids, 'no process was ended').toEqual(pids);
    const history = await stack.history('patient-events');
    assertNoGaps(history);
    assertRepeatsAreExact(history);
    const leak = (await stack.logs()).split('\n').find((line) => line.includes(MARK));
    expect(leak, 'a log line with a personal value').toBe(undefined);
  },
);

/** Each patient has their own therapist, numbered from 1. */
async function createPatients(): Promise<number[]> {
  const { api, tokens } = stack.describe();
  const limit = pLimit(4);
  return Promise.all(
    Array.from({ length: PATIENTS }, (_, n) =>
      limit(async () => {
        const answer = await fetch(`${api}/api/patients`, {
          method: 'POST',
          headers: { authorization: `Bearer ${tokens.admin}`, 'content-type': 'application/json' },
          body: JSON.stringify(aBody({ zugewiesener_therapeut: n + 1 })),
        });
        expect(answer.status).toBe(201);
        return ((await answer.json()) as { id: number }).id;
      }),
    ),
  );
}

async function timed(what: string, work: () => Promise<Ledger>): Promise<Ledger> {
  const begun = Date.now();
  const ledger = await work();
  console.log(`random inputs: ${what} after ${Date.now() - begun} ms:`, ledger);
  return ledger;
}

type Ledger = Readonly<Record<string, number>>;

function ledgerOf(outcomes: readonly string[]): Ledger {
  return Object.fromEntries(
    [...Map.groupBy(outcomes, (one) => one)].map(([name, { length }]) => [name, length]),
  );
}

function sum(ledger: Ledger): number {
  return Object.values(ledger).reduce((total, count) => total + count, 0);
}

/** Number of consumed messages by outcome: as counted by the worker, or the code of their dead letter. */
async function consumedOutcomes(): Promise<Ledger> {
  const lines = (await readFile(stack.logFile('worker'), 'utf8')).split('\n');
  const counted = lines.filter((line) => line.includes('"events_consumed":'));
  const buried = lines.filter((line) => line.includes('A message became a dead letter'));
  return ledgerOf([
    ...counted.map((line) => (JSON.parse(line) as { labels: { outcome: string } }).labels.outcome),
    ...buried.map((line) => (JSON.parse(line) as { error_code: string }).error_code),
  ]);
}

/** How many messages the consumed topics have. */
async function appendedMessages(): Promise<number> {
  const admin = await stack.kafka.admin();
  const topics = await Promise.all(
    ['communication-events', 'therapist-events'].map((topic) => admin.ranges(topic)),
  );
  await admin.close();
  return topics
    .flatMap((ranges) => [...ranges.values()])
    .reduce((total, { high }) => total + Number(high), 0);
}

/**
 * Sends the messages in batches by partition, and checks that every message appended to the topics meanwhile is counted
 * exactly once, as consumed or as a dead letter.
 */
async function sendMessages(inputs: readonly KafkaInput[]): Promise<Ledger> {
  let appended = 0;
  const counted = await eventually(async () => {
    const outcomes = await consumedOutcomes();
    // Count after the outcomes: a mail's event may arrive in between.
    appended = await appendedMessages();
    expect(sum(outcomes)).toBe(appended);
    return outcomes;
  }, SETTLED_WITHIN_MS);
  const producer = rawProducer(stack.describe().kafka);
  const batches = Map.groupBy(inputs, ({ topic, partition, codec }) => `${topic} ${partition} ${codec}`);
  for (const chunk of [...batches.values()].flatMap(batchesOf)) {
    const [{ topic, partition, codec }] = chunk as [KafkaInput];
    const records = chunk.map(({ record }) => record);
    await producer.produce(topic, partition, records, codec);
  }
  producer.close();
  return eventually(async () => {
    // The log is long and is read completely.
    await sleep(1_000);
    const [countedNow, appendedNow] = [await consumedOutcomes(), await appendedMessages()];
    expect(sum(countedNow) - sum(counted), 'messages with an outcome').toBe(appendedNow - appended);
    const gained = Object.entries(countedNow).map(
      ([name, count]) => [name, count - (counted[name] ?? 0)] as const,
    );
    return Object.fromEntries(gained.filter(([, count]) => count > 0));
  }, SETTLED_WITHIN_MS);
}

async function uploadFiles(inputs: readonly FileInput[]): Promise<Ledger> {
  const { bucket, db } = stack;
  const limit = pLimit(4);
  const ids = await Promise.all(
    inputs.map(({ name, contentEncoding, bytes }) =>
      limit(async () => {
        const file = bucket.file(name);
        const metadata = { contentType: 'application/json', ...(contentEncoding && { contentEncoding }) };
        await file.save(bytes, { resumable: false, metadata });
        return recordIdOf(bucket.name, name, String(file.metadata.generation));
      }),
    ),
  );
  const settled = new Map<string, ImportRecord>();
  await eventually(async () => {
    await sleep(500);
    const open = ids.filter((id) => !settled.has(id));
    const documents = open.length === 0 ? [] : await db.getAll(...open.map((id) => db.doc(`imports/${id}`)));
    for (const document of documents) {
      const record = document.data() as ImportRecord | undefined;
      if (typeof record?.archived_at === 'string') settled.set(document.id, record);
    }
    expect(settled.size, 'files with an outcome').toBe(ids.length);
  }, SETTLED_WITHIN_MS);
  return ledgerOf([...settled.values()].map(({ outcome, reason }) => reason ?? outcome));
}

async function sendRequests(inputs: readonly RequestInput[]): Promise<Ledger> {
  const { api, tokens } = stack.describe();
  const { hostname, port } = new URL(api);
  const pool = new Agent({ keepAlive: true });
  const limit = pLimit(4);

  /** Does not use fetch, which normalises paths and refuses some headers. */
  function send(
    { method, path, headers, body }: RequestInput,
    agent: Agent | false = pool,
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const sent = httpRequest(
        {
          agent,
          hostname,
          port,
          method,
          path: encodePath(path),
          headers: {
            ...headers,
            authorization: `Bearer ${tokens.admin}`,
            // Node sends no Content-Length with a DELETE, and the server would read the body as the next request.
            ...(body === undefined ? {} : { 'content-length': body.length }),
          },
        },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8');
          answer.on('data', (part: string) => (text += part));
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
          answer.on('error', reject);
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }

  const faults: string[] = [];
  const outcomes = await Promise.all(
    inputs.map((input) =>
      limit(async () => {
        // When the server refuses a body unread, it may close the connection during the next request.
        const { status, text } = await send(input).catch(() => send(input, false));
        const isRefused = status >= 400 && status < 500;
        const hasReason = input.method === 'HEAD' || hasStatus(text, status);
        if (status >= 500 || (isRefused && !hasReason)) {
          const { method, path, headers, body } = input;
          faults.push(
            `${method} ${path} ${JSON.stringify(headers)} ${body?.toString('base64').slice(0, 2_000)} → ${status} ${text.slice(0, 300)}`,
          );
        }
        return String(status);
      }),
    ),
  );
  pool.destroy();
  expect(faults.join('\n'), 'requests that are not answered as they should').toBe('');
  return ledgerOf(outcomes);
}

/** True of a problem document (RFC 9457). */
function hasStatus(text: string, status: number): boolean {
  try {
    return (JSON.parse(text) as { status?: unknown }).status === status;
  } catch {
    return false;
  }
}

/** Node's client refuses blanks and control characters in a path, so they are percent-encoded, as other clients do. */
function encodePath(path: string): string {
  return path.replaceAll(/[^\x21-\x7e]/g, (character) => encodeURIComponent(character.toWellFormed()));
}

/** Splits messages into batches of at most 1 MiB, the broker's limit. */
function batchesOf(all: readonly KafkaInput[]): KafkaInput[][] {
  const batches: KafkaInput[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const input of all) {
    const size = input.record.value?.length ?? 0;
    if (bytes + size > BATCH_BYTES || batches.at(-1)?.length === 50) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)!.push(input);
    bytes += size;
  }
  return batches;
}
