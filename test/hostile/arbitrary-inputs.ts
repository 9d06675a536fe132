/* oxlint-disable max-lines -- a list: what is generated for each way in, and all of it shares the same edits */
/**
 * Generators of invalid input: random bytes, random JSON, and valid messages, files and requests with random changes.
 * Every personal value in them contains MARK, by which a leak into a log is found.
 */
import { fc } from '../support/properties.ts';
import { aRegistration, aToken } from '../support/builders.ts';
import { codecs, type CodecName, type RawRecord } from '../support/raw-batch.ts';

/** Occurs in none of the service's own words. */
export const MARK = 'Zqx';

const person = {
  vorname: `Lena${MARK}`,
  nachname: `Beispiel${MARK}`,
  strasse: `Weg${MARK} 4`,
  email: `lena.${MARK}@example.org`,
  hausarzt: `Dr. ${MARK}`,
};

/** Event types of each consumed topic. */
const PARTITIONS = 6;

/** Values that JSON allows and code rarely expects. */
const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>('', ' ', '\0', '\u200b', '\u202e', '\ud800', '\ufeff', '__proto__', 'constructor'),
  fc.constantFrom<unknown>(-0, -1, 0.5, 1e308, 2 ** 31, 2 ** 53 + 2, true, false, null, [], {}, [[[]]]),
  fc.constantFrom<unknown>('9999-12-31', '-000001-01-01T00:00:00Z', '2026-02-30', '24:00', 'a'.repeat(3_000)),
  fc.constantFrom<unknown>(`a${'\u0301'.repeat(2_000)}${'\u0323'.repeat(2_000)}`, {
    __proto__: null,
    toJSON: 1,
  }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.jsonValue({ maxDepth: 3 }),
);

const oddKey = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    '',
    'id',
    '0',
    'a/b~c',
  ),
  fc.string({ unit: 'binary', maxLength: 10 }),
);

interface Edit {
  readonly at: number;
  readonly how: 'replace' | 'delete' | 'add';
  readonly key: string;
  readonly value: unknown;
}

const edits = fc.array(
  fc.record<Edit>({
    at: fc.nat(1_000),
    how: fc.constantFrom('replace', 'replace', 'delete', 'add'),
    key: oddKey,
    value: oddValue,
  }),
  { maxLength: 3 },
);

/** Changes parts of a JSON value, at any depth. */
function edited(value: object, changes: readonly Edit[]): object {
  const copy = structuredClone(value);
  for (const { at, how, key, value } of changes) {
    const places = placesIn(copy);
    const place = places[at % places.length]!;
    if (how === 'add') define(place.parent, key, structuredClone(value));
    else if (how === 'delete') delete place.parent[place.key];
    else define(place.parent, place.key, structuredClone(value));
  }
  return copy;
}

/** Defines an own property, also for a key that would otherwise set the prototype. */
function define(parent: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true });
}

interface Place {
  readonly parent: Record<string, unknown>;
  readonly key: string;
}

function placesIn(value: object): Place[] {
  const parent = value as Record<string, unknown>;
  const own = Object.keys(parent).map((key) => ({ parent, key }));
  const below = Object.values(parent).flatMap((one) =>
    typeof one === 'object' && one !== null ? placesIn(one) : [],
  );
  return own.length + below.length === 0 ? [{ parent, key: 'x' }] : [...own, ...below];
}

/** Changes to the JSON text that JSON.stringify would never produce. */
const damage: fc.Arbitrary<(text: string) => Buffer> = fc.oneof(
  { weight: 12, arbitrary: fc.constant((text: string) => Buffer.from(text)) },
  fc.double({ min: 0, max: 1, noNaN: true }).map((part) => (text: string) => {
    return Buffer.from(text).subarray(0, Math.floor(part * text.length));
  }),
  fc.tuple(fc.nat(100_000), fc.nat(255)).map(([at, byte]) => (text: string) => {
    const bytes = Buffer.from(text);
    if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return bytes;
  }),
  fc.constantFrom(
    (text: string) => Buffer.from(`\ufeff${text}`),
    (text: string) => Buffer.from(text, 'utf16le'),
    (text: string) => Buffer.from(text.replace(/:(\d+|null|true|false)/, ':1e400')),
    (text: string) => Buffer.from(text.replace(/:(\d+|null|true|false)/, ':9007199254740993')),
    (text: string) => Buffer.from(text.replace('{', '{"__proto__":{"admin":true},')),
    (text: string) => Buffer.from(text.replace(/("\w+":)/, '$1"doppelt",$1')),
    (text: string) => Buffer.from(`${'['.repeat(20_000)}${text}${']'.repeat(20_000)}`),
    (text: string) => Buffer.from(text.replace(':', `:${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)},"b":`)),
    (text: string) => Buffer.from(text.padEnd(700_000)),
  ),
);

/** Bytes of the value that `valid` generates, mostly with changes. */
function mutationsOf(valid: fc.Arbitrary<object>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(valid, edits, damage)
    .map(([value, changes, hurt]) => hurt(JSON.stringify(edited(value, changes)) ?? ''));
}

const anyBytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const anyJson = fc.json({ maxDepth: 5 }).map((text) => Buffer.from(text));

function mostly(valid: fc.Arbitrary<object>): fc.Arbitrary<Buffer> {
  return fc.oneof(
    { weight: 8, arbitrary: mutationsOf(valid) },
    { weight: 1, arbitrary: anyBytes },
    { weight: 1, arbitrary: anyJson },
  );
}

function envelope(eventType: string, payload: object): fc.Arbitrary<object> {
  return fc.record({
    eventId: fc.uuid(),
    eventType: fc.constant(eventType),
    version: fc.constantFrom('1.0', '1.7', '2.0'),
    timestamp: fc.constantFrom('2026-11-03T10:00:00Z', '2026-11-03 10:00', '2031-01-01T00:00:00Z'),
    producer: fc.constant('another-service'),
    payload: fc.constant(payload),
  });
}

export interface KafkaInput {
  readonly topic: 'communication-events' | 'therapist-events';
  readonly partition: number;
  readonly codec: CodecName;
  readonly record: RawRecord;
}

/** @param patients ids that exist */
export function kafkaInput(patients: readonly number[]): fc.Arbitrary<KafkaInput> {
  const patient = fc.oneof(fc.constantFrom(...patients), fc.constantFrom(null, 4_711_000));
  const mail = fc.tuple(patient, fc.uuid()).chain(([patient_id, email_id]) =>
    envelope('email.sent', {
      email_id,
      email_data: { betreff: MARK, empfaenger: person.email },
      communication_type: 'patient',
      patient_id,
      therapist_id: null,
    }),
  );
  const therapist = fc
    .tuple(fc.constantFrom('therapist.blocked', 'therapist.unblocked'), fc.integer({ min: 1, max: 100 }))
    .chain(([type, therapist_id]) =>
      envelope(type, { therapist_id, therapist_data: { name: person.nachname } }),
    );
  const headerName = fc.oneof(
    fc.constantFrom(
      'traceparent',
      'dlq-resolved-offset',
      'dlq-origin-topic',
      'dlq-attempts',
      '__proto__',
      'ce_id',
    ),
    fc.string({ unit: 'binary', maxLength: 12 }),
  );
  const headerValue = fc.oneof(
    fc.constantFrom(
      null,
      '',
      MARK,
      '00-00-00-00',
      `00-${'f'.repeat(32)}-${'f'.repeat(16)}-01`,
      '0',
      '-1',
      'abc',
    ),
    anyBytes,
  );
  const message = (topic: KafkaInput['topic'], value: fc.Arbitrary<Buffer>): fc.Arbitrary<KafkaInput> =>
    fc
      .tuple(
        fc.nat(PARTITIONS - 1),
        fc.constantFrom(...(Object.keys(codecs) as CodecName[])),
        fc.option(fc.oneof(fc.constantFrom<string | Buffer>('1', '2', person.email), anyBytes)),
        fc.option(value, { freq: 20 }),
        fc.array(fc.tuple(headerName, headerValue), { maxLength: 4 }),
      )
      .map(([partition, codec, key, value, headers]) => ({
        topic,
        partition,
        codec,
        record: { key, value, headers },
      }));
  return fc.oneof(
    { weight: 3, arbitrary: message('communication-events', mostly(mail)) },
    { weight: 2, arbitrary: message('therapist-events', mostly(therapist)) },
  );
}

const registration = fc
  .constant(null)
  .map(() => aRegistration({ ...person, email: null }, { registration_token: aToken() }));

export interface FileInput {
  readonly name: string;
  readonly contentEncoding: 'gzip' | undefined;
  readonly bytes: Buffer;
}

export const fileInput: fc.Arbitrary<FileInput> = fc.record({
  name: fc
    .tuple(
      fc.uuid(),
      fc.oneof(fc.constantFrom('', MARK, 'a b', '%00', '#?&', '🙂', 'retry-'), fc.string({ maxLength: 20 })),
      fc.constantFrom('.json', '.json', '.json', '.JSON', '.pdf', ''),
    )
    // The emulator collapses repeated slashes, and refuses line breaks in a name.
    .map(([id, middle, end]) => `incoming/${id}${middle.replaceAll(/[/\r\n]/g, '_')}${end}`),
  contentEncoding: fc.constantFrom(undefined, undefined, undefined, undefined, 'gzip'),
  bytes: mostly(registration),
});

export interface RequestInput {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

/** @param patients ids that exist; some of them are erased */
export function requestInput(patients: readonly number[]): fc.Arbitrary<RequestInput> {
  const id = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...patients).map(String) },
    fc.constantFrom(
      '0',
      '-1',
      '1e3',
      '2147483648',
      '00',
      'NaN',
      '%ff',
      '%00',
      '..%2f',
      '__proto__',
      '%F0%9F%99%82',
    ),
  );
  const queryValue = fc.oneof(
    fc.constantFrom(
      '',
      '0',
      '-1',
      '1',
      '1001',
      '1e3',
      MARK,
      '%',
      '_',
      '%ff',
      '%00',
      'offen',
      'a'.repeat(600),
    ),
    fc.string({ unit: 'binary', maxLength: 12 }).map((text) => encodeURIComponent(text.toWellFormed())),
  );
  const query = fc
    .array(
      fc.tuple(
        fc.constantFrom('search', 'limit', 'page', 'page_token', 'status', 'x', '__proto__'),
        queryValue,
      ),
      { maxLength: 3 },
    )
    .map((pairs) => (pairs.length === 0 ? '' : `?${pairs.map((pair) => pair.join('=')).join('&')}`));
  const path = fc.oneof(
    fc.constant('/api/patients'),
    id.map((one) => `/api/patients/${one}`),
    id.map((one) => `/api/patients/${one}/last-contact`),
    id.map((one) => `/api/patients/${one}/communication`),
    fc.constantFrom(
      '/api/patients/import-status',
      '/livez',
      '/openapi.json',
      '//',
      '/api//patients',
      '/%2e%2e/',
    ),
    // Without the slash it is not an HTTP request, and Node itself refuses it without a problem document.
    fc.webPath().map((path) => `/${path.replace(/^\//, '')}`),
  );
  const visible = fc
    .array(fc.integer({ min: 0x20, max: 0x7e }), { maxLength: 300 })
    .map((codes) => String.fromCharCode(...codes).trim());
  const header = fc.oneof(
    fc.tuple(
      fc.constantFrom('if-match', 'if-none-match', 'idempotency-key', 'content-type', 'accept', 'x-actor'),
      fc.oneof(
        fc.constantFrom('*', '""', 'W/"1"', 'application/json;', 'text/plain', 'multipart/form-data'),
        visible,
      ),
    ),
    fc.tuple(fc.constantFrom('traceparent', 'content-encoding', 'x-forwarded-for', 'cookie'), visible),
  );
  const aPatient = fc.constant({
    anrede: 'Frau',
    geschlecht: 'weiblich',
    ...person,
  });
  const aPatch = fc.constantFrom<object>(
    { nachname: person.nachname },
    { date: '2026-11-02' },
    { ausgeschlossene_therapeuten: [1, { id: 2, reason: MARK }] },
    { zahlung_eingegangen: true, vertraege_unterschrieben: true },
  );
  return fc
    .record({
      method: fc.constantFrom(
        'GET',
        'GET',
        'POST',
        'POST',
        'PATCH',
        'PATCH',
        'PUT',
        'DELETE',
        'OPTIONS',
        'HEAD',
      ),
      path: fc.tuple(path, query).map((parts) => parts.join('')),
      headers: fc.array(header, { maxLength: 2 }).map((pairs) => Object.fromEntries(pairs)),
      body: fc.oneof(mostly(aPatient), mostly(aPatch)),
    })
    .map(({ method, headers, body, path }) => ({
      method,
      path,
      headers: { 'content-type': 'application/json', ...headers },
      body: ['GET', 'HEAD', 'OPTIONS'].includes(method) ? undefined : body,
    }));
}
