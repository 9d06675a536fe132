/**
 * Ten thousand inputs at random, and a ledger: each of them ends as applied, refused with a reason, ignored and counted,
 * or a dead letter, and the sums agree. RANDOM_INPUTS_SEED runs it, with that seed; without it the test is skipped.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request as httpRequest } from 'node:http';
import fc from 'fast-check';
import pLimit from 'p-limit';
import { expect, it } from 'vitest';
import { recordIdOf, type ImportRecord } from '../../shared/store/imports.ts';
import { eventually } from '../support/eventually.ts';
import { assertNoGaps, assertRepeatsAreExact } from '../support/history.ts';
import {
  fileInput,
  kafkaInput,
  MARK,
  requestInput,
  type FileInput,
  type KafkaInput,
  type RequestInput,
} from './arbitrary-inputs.ts';
import type { HostileWorld } from './world.ts';

const FILES = 1_000;
const REQUESTS = 3_000;
const MESSAGES = 6_000;
const BATCH_BYTES = 800_000;
const SETTLED_WITHIN_MS = 150_000;

const given = process.env['RANDOM_INPUTS_SEED'];
const seed = Number(given ?? randomInt(2 ** 31));
// Not yet seen green: the emulators did not keep up with it on a machine that was busy with other work.
const isWanted = given !== undefined;

export function randomInputs(world: () => HostileWorld): void {
  it.runIf(isWanted)(
    `keeps account of 10,000 inputs (RANDOM_INPUTS_SEED=${seed})`,
    { timeout: 240_000 },
    async () => {
      console.log(`random inputs: RANDOM_INPUTS_SEED=${seed}`);
      const { create, stack, watch } = world();
      // All at once is no example of what others may wait for: here it counts that everything ends.
      await watch.without(EVERYTHING, async () => {
        const patients = await Promise.all(
          Array.from({ length: 100 }, (_, n) => create({ zugewiesener_therapeut: n + 1 })),
        );
        const { pids } = stack.describe();
        const sample = <T>(inputs: fc.Arbitrary<T>, numRuns: number) => fc.sample(inputs, { seed, numRuns });

        const [messages, files, requests] = await Promise.all([
          sendMessages(world(), sample(kafkaInput(patients, watch.openPartitions), MESSAGES)),
          uploadFiles(world(), sample(fileInput, FILES)),
          sendRequests(world(), sample(requestInput(patients), REQUESTS)),
        ]);
        console.log('random inputs:', { messages, files, requests }, watch.slowest());

        // Mails of the imported files are announced on a topic too.
        expect(sum(messages)).toBeGreaterThanOrEqual(MESSAGES);
        expect(sum(files)).toBe(FILES);
        expect(sum(requests)).toBe(REQUESTS);
        expect(stack.describe().pids, 'no process was ended').toEqual(pids);
        const history = await stack.history('patient-events');
        assertNoGaps(history);
        assertRepeatsAreExact(history);
        const leak = (await stack.logs()).split('\n').find((line) => line.includes(MARK));
        expect(leak, 'a log line with a personal value').toBe(undefined);
      });
    },
  );
}

const EVERYTHING = [
  'communication-events',
  'therapist-events',
  'an import',
  'GET a patient',
  '/health',
] as const;

type Ledger = Readonly<Record<string, number>>;

function ledgerOf(outcomes: readonly string[]): Ledger {
  return Object.fromEntries(
    [...Map.groupBy(outcomes, (one) => one)].map(([name, { length }]) => [name, length]),
  );
}

function sum(ledger: Ledger): number {
  return Object.values(ledger).reduce((total, count) => total + count, 0);
}

/**
 * Sends them in batches by partition. Every message that was appended to the topics meanwhile is counted as consumed or
 * is a dead letter, each once.
 */
async function sendMessages(world: HostileWorld, inputs: readonly KafkaInput[]): Promise<Ledger> {
  const [counted, appended] = [await world.consumed(), await world.appended()];
  const limit = pLimit(8);
  const batches = Map.groupBy(inputs, ({ topic, partition, codec }) => `${topic} ${partition} ${codec}`);
  await Promise.all(
    [...batches.values()].flatMap((all) =>
      batchesOf(all).map((chunk) =>
        limit(async () => {
          const [{ topic, partition, codec }] = chunk as [KafkaInput];
          await world.producer.produce(
            topic,
            partition,
            chunk.map(({ record }) => record),
            codec,
          );
        }),
      ),
    ),
  );
  return eventually(async () => {
    // The log is long, and read as a whole.
    await sleep(1_000);
    const [countedNow, appendedNow] = [await world.consumed(), await world.appended()];
    expect(sum(countedNow) - sum(counted), 'messages with an outcome').toBe(appendedNow - appended);
    const gained = Object.entries(countedNow).map(
      ([name, count]) => [name, count - (counted[name] ?? 0)] as const,
    );
    return Object.fromEntries(gained.filter(([, count]) => count > 0));
  }, SETTLED_WITHIN_MS);
}

async function uploadFiles(world: HostileWorld, inputs: readonly FileInput[]): Promise<Ledger> {
  const { bucket, db } = world.stack;
  const limit = pLimit(16);
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
  const records = await eventually(async () => {
    const documents = await db.getAll(...ids.map((id) => db.doc(`imports/${id}`)));
    const found = documents.map((one) => one.data() as ImportRecord | undefined);
    expect(found.filter((one) => typeof one?.archived_at !== 'string')).toEqual([]);
    return found as ImportRecord[];
  }, SETTLED_WITHIN_MS);
  return ledgerOf(records.map(({ outcome, reason }) => reason ?? outcome));
}

async function sendRequests(world: HostileWorld, inputs: readonly RequestInput[]): Promise<Ledger> {
  const { api, tokens } = world.stack.describe();
  const { hostname, port } = new URL(api);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const limit = pLimit(16);

  /** Not by fetch, which mends paths and refuses what a client may not send. */
  function send({ method, path, headers, body }: RequestInput): Promise<{ status: number; text: string }> {
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
            // Node sends none with a DELETE, and its body would pass for the next request.
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
        // A body that is refused unread may close the connection under the next request.
        const { status, text } = await send(input).catch(() => send(input));
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
  agent.destroy();
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

/** Node's client takes no blanks and control characters in a path; others send them percent-encoded too. */
function encodePath(path: string): string {
  return path.replaceAll(/[^\x21-\x7e]/g, (character) => encodeURIComponent(character.toWellFormed()));
}

/** Batches that the broker takes: it refuses more than 1 MiB. */
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
