/* oxlint-disable max-lines -- a list: one entry for each reader of foreign text */
/**
 * Every parser of external input, each with inputs of a chosen size that would be slowest if a pattern backtracked or a
 * loop were quadratic.
 */
import { createRequire } from 'node:module';
import { Writable } from 'node:stream';
import { createOutput } from '../../functions/ops/output.ts';
import { runOps } from '../../functions/ops/program.ts';
import { isKnown, requireMatch } from '../../functions/patients-api/entity-tag.ts';
import { readPageToken } from '../../functions/patients-api/page-token.ts';
import { readIdempotencyKey, readQuery } from '../../functions/patients-api/parameters.ts';
import { readJsonBody } from '../../functions/patients-api/request-body.ts';
import type { Call } from '../../functions/patients-api/route.ts';
import { listPatientsRoute } from '../../functions/patients-api/routes/list-patients.ts';
import { communicationEventPayloads } from '../../shared/events/consumed-events.ts';
import { readEnvelope } from '../../shared/events/envelope.ts';
import { withoutForeignText } from '../../shared/kafka/client-log.ts';
import { readReason } from '../../shared/kafka/dead-letters.ts';
import { readPatientFields } from '../../shared/patient/read.ts';
import { wordsOf } from '../../shared/patient/search.ts';
import { newPatientSchema, patientId } from '../../shared/patient/schema.ts';
import { isCalendarDate, parseTimestamp, type BerlinDate } from '../../shared/platform/clock.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { continueTrace } from '../../shared/platform/trace.ts';
import { compactJson } from '../../shared/registration/compact-json.ts';
import { readRegistrationFile } from '../../shared/registration/registration-file.ts';
import { aRegistration, signedRegistration } from './builders.ts';

/** Prepares an input of about `bytes`. The returned function parses it and may refuse it. */
export type HostileInput = (bytes: number) => () => unknown;

const internals = createRequire(import.meta.url);
const client = (path: string) => internals(`kafkajs/src/${path}`) as never;
const murmur2: (key: Buffer) => number = client('producer/partitioners/default/murmur2.js');
const group: (batch: object) => object = client('producer/groupMessagesPerPartition.js');
const encodeRecord: (record: object) => { buffer: Buffer } = client(
  'protocol/recordBatch/record/v0/index.js',
);
const decodeRecord: (decoder: object, context: object) => object = client(
  'protocol/recordBatch/record/v0/decoder.js',
);
const Decoder: new (buffer: Buffer) => { readVarIntBytes(): Buffer } = client('protocol/decoder.js');

const repeat = (unit: string, bytes: number) => unit.repeat(Math.ceil(bytes / Buffer.byteLength(unit)));
const now = systemClock();
const TODAY = '2026-11-28' as BerlinDate;

/** Texts that are expensive for trimming, for normalising and for patterns with nested repetitions. */
const texts: Record<string, string> = {
  letters: 'a',
  blanks: ' ',
  'blanks of no width': '\u200b',
  marks: '\u0301\u0323',
  'letters with marks': 'a\u0301\u0323',
  dots: 'a.',
  'at signs': 'a@',
  hyphens: '-a',
  digits: '0',
  'digits and blanks': '0 ',
  brackets: '(0)',
  emoji: '👩‍👩‍👧',
};

const fields = [
  'vorname',
  'strasse',
  'plz',
  'email',
  'telefon',
  'geburtsdatum',
  'empfehler_der_unterstuetzung',
  'zahlungsreferenz',
  'status',
];

const patient = (field: Record<string, unknown>) => () =>
  readPatientFields(newPatientSchema, { ...aRegistration().patient_data, ...field }, TODAY);

const file = (text: string) => () =>
  readRegistrationFile(Buffer.from(text), { key: undefined, environment: 'test' }, now, now);

const list = (entry: string, bytes: number): unknown[] =>
  JSON.parse(`[${repeat(`${entry},`, bytes)}${entry}]`) as unknown[];

function record(headers: object): () => object {
  const { buffer } = encodeRecord({ key: null, value: Buffer.from('x'), headers });
  return () =>
    decodeRecord(new Decoder(new Decoder(buffer).readVarIntBytes()), { firstOffset: 0, firstTimestamp: 0 });
}

/** Node itself refuses a request with a longer request line and headers. */
const MAX_HEAD = 16 * 1024;

const inHeader =
  (unit: string, begin = '') =>
  (bytes: number) => {
    const headers = { 'content-type': begin + repeat(unit, Math.min(bytes, MAX_HEAD)) };
    return () =>
      readJsonBody(new Request('http://localhost', { method: 'POST', headers, body: '{}' })).catch(() => 0);
  };

/** The parts of a request that the parameter parsers use. */
const call = (query: object, header?: string) =>
  ({ req: { query: () => query, header: () => header } }) as unknown as Call;

const search = (unit: string) => (bytes: number) => {
  const query = call({ search: repeat(unit, bytes) });
  return quietly(() => wordsOf(String(readQuery(listPatientsRoute.query!, query)['search'])));
};

/** Parses a command line without running it. */
const command = (args: readonly string[]) => {
  const streams = { out: nowhere(), err: nowhere() };
  return () => runOps(args, { GOOGLE_CLOUD_PROJECT: 'test' }, streams, { mayRun: () => false });
};

const quietly = (read: () => unknown) => () => {
  try {
    return read();
  } catch {
    return undefined;
  }
};

const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() });

export const hostileInputs: Record<string, HostileInput> = {
  'murmur2 of a key': (bytes) => {
    const key = Buffer.alloc(bytes, 0xff);
    return () => murmur2(key);
  },
  'sharing messages out to partitions': (bytes) => {
    const messages = Array.from({ length: bytes / 64 }, () => ({ value: '' }));
    return () => group({ topic: 't', partitionMetadata: [1], messages, partitioner: () => 0 });
  },
  'headers of many names': (bytes) =>
    record(Object.fromEntries(Array.from({ length: bytes / 16 }, (_, n) => [`h${n}`, 'x']))),
  'a header many times': (bytes) => record({ h: Array.from({ length: bytes / 16 }, () => 'x') }),
  'an envelope nested deeply': (bytes) => {
    const value = Buffer.from('['.repeat(bytes / 2) + ']'.repeat(bytes / 2));
    return quietly(() => readEnvelope(value, now));
  },
  'an envelope of many keys': (bytes) => {
    const value = Buffer.from(`{${Array.from({ length: bytes / 12 }, (_, n) => `"${n}":{}`).join()}}`);
    return quietly(() => readEnvelope(value, now));
  },
  'an envelope with a long version': (bytes) => {
    const value = Buffer.from(
      JSON.stringify({
        version: `1.${'1'.repeat(bytes)}x`,
        eventId: crypto.randomUUID(),
        eventType: 'x',
        timestamp: '2026-01-01T00:00Z',
        producer: 'x',
        payload: {},
      }),
    );
    return quietly(() => readEnvelope(value, now));
  },
  'the payload of an event': (bytes) => {
    const payload = {
      email_id: 'x',
      email_data: { list: list('{"a":[1]}', bytes) },
      communication_type: 'x'.repeat(bytes),
    };
    return () => communicationEventPayloads['email.sent'].safeParse(payload);
  },
  'a timestamp of digits': (bytes) => {
    const text = `2026-01-01T00:00:00.${'1'.repeat(bytes)}Z`;
    return () => parseTimestamp(text);
  },
  'a date of digits': (bytes) => {
    const text = '0'.repeat(bytes);
    return () => isCalendarDate(text);
  },
  'a traceparent': (bytes) => {
    const text = `00-${'0'.repeat(bytes)}`;
    return () => continueTrace(text);
  },
  'the reason of a dead letter': (bytes) => {
    const digits = Buffer.alloc(bytes, '9');
    const names = ['origin-topic', 'origin-partition', 'origin-offset', 'error-class', 'failed-at'];
    const headers = Object.fromEntries(names.map((name) => [`dlq-${name}`, digits]));
    return () => readReason(headers, 't');
  },
  'a log line of the client': (bytes) => {
    const text = repeat('E KafkaJS', bytes);
    return () => withoutForeignText(text);
  },
  'a value on the terminal': (bytes) => {
    const value = repeat('\u001b[', bytes);
    return () => createOutput(false, { out: nowhere(), err: nowhere() }).fields({ value });
  },
  'If-Match of commas': (bytes) => {
    const text = ','.repeat(bytes);
    return quietly(() => requireMatch(text, 1));
  },
  'If-None-Match of weak marks': (bytes) => {
    const text = repeat('W/ ', bytes);
    return () => isKnown(text, 1);
  },
  'Content-Type of parameters': inHeader(';a=b', 'application/json'),
  'Content-Type of blanks': inHeader('; ', 'application/json'),
  'Content-Type of quotes': inHeader('\\"', 'application/json;a="'),
  'a search of words': search('a '),
  'a search of marks': search('a\u0301\u0323'),
  'a search of blanks': search(' '),
  'a search of one word': search('a'),
  'an Idempotency-Key': (bytes) => {
    const request = call({}, `${'a'.repeat(bytes)} `);
    return quietly(() => readIdempotencyKey(request));
  },
  'a query of many parameters': (bytes) => {
    const names = Array.from({ length: Math.min(bytes, MAX_HEAD) / 4 }, (_, n) => [`p${n}`, 'x']);
    const request = call(Object.fromEntries(names));
    return quietly(() => readQuery(listPatientsRoute.query!, request));
  },
  'a command of one long word': (bytes) => command(['d'.repeat(bytes)]),
  'a command of many words': (bytes) => command(['dlq', 'show'].concat(Array<string>(bytes / 8).fill('x'))),
  'a command of many options': (bytes) =>
    command(['dlq', 'list'].concat(Array<string>(bytes / 8).fill('--x=y'))),
  'a command with a long number': (bytes) => command(['dlq', 'list', '--since', '9'.repeat(bytes)]),
  'a command with a long place': (bytes) =>
    command(['dlq', 'show', 'communication', '0'.repeat(bytes), `${'1'.repeat(bytes)}x`]),
  'a page token': (bytes) => {
    const text = Buffer.from('['.repeat(bytes)).toString('base64url');
    return quietly(() => readPageToken(text, patientId, []));
  },
  'a body nested deeply': (bytes) => {
    const body = '['.repeat(bytes / 2) + ']'.repeat(bytes / 2);
    const headers = { 'content-type': 'application/json' };
    return () =>
      readJsonBody(new Request('http://localhost', { method: 'POST', headers, body })).catch(() => 0);
  },
  'compact JSON of many members': (bytes) => {
    const text = `{${Array.from({ length: bytes / 12 }, (_, n) => `"${n}":[ ]`).join(' , ')}}`;
    return () => compactJson(text, ['signature']);
  },
  'compact JSON of escapes': (bytes) => {
    const text = `{"a":"${repeat('\\\\\\"\\u00e4', bytes)}"}`;
    return () => compactJson(text, ['signature']);
  },
  'a file of blanks': (bytes) => file(' '.repeat(bytes - 1)),
  'a file of unknown keys': (bytes) =>
    file(`{"patient_data":{${Array.from({ length: bytes / 12 }, (_, n) => `"${n}":1`).join()}}}`),
  'a file of one open text': (bytes) => file(`{"${'\\"'.repeat((bytes - 10) / 2)}`),
  'a signed file': (bytes) => {
    const key = 'k'.repeat(32);
    const registration = { ...aRegistration(), consent_metadata: { x: repeat('ä', bytes - 10_000) } };
    const bytesOfFile = Buffer.from(JSON.stringify(signedRegistration(key, { data: registration })));
    return () => readRegistrationFile(bytesOfFile, { key, environment: 'test' }, now, now);
  },
  'symptoms of no kind': (bytes) => patient({ symptome: list('"x"', bytes) }),
  'time slots of no kind': (bytes) =>
    patient({ zeitliche_verfuegbarkeit: { montag: list('"25:00-1"', bytes) } }),
  'excluded therapists': (bytes) => patient({ ausgeschlossene_therapeuten: list('{"id":0,"x":1}', bytes) }),
  ...Object.fromEntries(
    fields.flatMap((field) =>
      Object.entries(texts).map(([name, unit]): [string, HostileInput] => [
        `${field} of ${name}`,
        (bytes) => patient({ [field]: `a${repeat(unit, bytes)}a` }),
      ]),
    ),
  ),
};

/**
 * The processor time of this thread, in milliseconds: other load on the machine does not count. The shortest of several runs,
 * because the collector of garbage and the compiler only add time.
 */
export async function fastest(read: () => unknown, runs = 3): Promise<number> {
  let best = Infinity;
  for (let run = 0; run < runs; run += 1) {
    const before = process.threadCpuUsage();
    await read();
    const { user, system } = process.threadCpuUsage(before);
    best = Math.min(best, (user + system) / 1_000);
  }
  return best;
}
