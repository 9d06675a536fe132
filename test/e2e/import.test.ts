/**
 * Uploads registration files of every kind into a whole running stack. Checks the result of each, and that no log contains
 * personal data.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FIELD_NAMES } from '../../shared/patient/schema.ts';
import { recordIdOf, type ImportRecord } from '../../shared/store/imports.ts';
import { aRegistration, aToken } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { assertNoGaps, assertRepeatsAreExact } from '../support/history.ts';
import { documents, objectNames } from '../support/import-world.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stop());

afterEach(async () => {
  const history = await stack.history('patient-events');
  assertNoGaps(history);
  assertRepeatsAreExact(history);
});

/** Uploads a file; `settled` waits until it has left `incoming/` and returns the result. */
async function upload(
  content: unknown,
  name = `incoming/${randomUUID()}.json`,
  contentType = 'application/json',
) {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  const file = stack.bucket.file(name);
  await file.save(bytes, { resumable: false, contentType });
  const id = recordIdOf(stack.bucket.name, name, String(file.metadata.generation));
  const settled = () =>
    eventually(async () => {
      const record = (await stack.db.doc(`imports/${id}`).get()).data() as ImportRecord | undefined;
      expect(record?.archived_at).toEqual(expect.any(String));
      expect(await objectNames(stack.bucket)).not.toContain(name);
      return record!;
    });
  return {
    id,
    name,
    generation: String(file.metadata.generation),
    size: bytes.length,
    metadata: file.metadata,
    settled,
  };
}

async function errorDocument(
  record: ImportRecord,
): Promise<{ reason: string; violations: { pointer: string }[] }> {
  const [bytes] = await stack.bucket.file(record.archive_path!.replace('.json', '.error.json')).download();
  return JSON.parse(bytes.toString()) as { reason: string; violations: { pointer: string }[] };
}

async function received(what: 'emails' | 'system-messages'): Promise<Record<string, unknown>[]> {
  const answer = await fetch(`${stack.describe().communication}/api/${what}?limit=1000`);
  return ((await answer.json()) as { data: Record<string, unknown>[] }).data;
}

const mailsTo = async (email: string) =>
  (await received('emails')).filter((mail) => mail['empfaenger_email'] === email);

const createdEvents = async (patientId: number) =>
  (await stack.history('patient-events')).filter(
    ({ key, value }) => key === String(patientId) && value.includes('"patient.created"'),
  );

const deliver = ({ name, generation, size, metadata }: Awaited<ReturnType<typeof upload>>) =>
  stack.deliver({ name, generation, size, timeCreated: String(metadata.timeCreated) });

describe('a valid registration', () => {
  it('reaches Firestore, the topic, the archive and the mail', async () => {
    const token = aToken();
    const object = await upload(aRegistration({ email: 'whole@example.org' }, { registration_token: token }));
    const record = await object.settled();
    expect(record).toMatchObject({
      outcome: 'imported',
      archive_path: expect.stringMatching(/^processed\//),
    });
    const { _meta, ...patient } = (await stack.db.doc(`patients/${record.patient_id}`).get()).data()!;
    expect(Object.keys(patient).sort()).toEqual([...FIELD_NAMES].sort());
    await eventually(async () => expect(await createdEvents(record.patient_id!)).toHaveLength(1));
    const [mail] = await eventually(async () => {
      const mails = await mailsTo('whole@example.org');
      expect(mails).toHaveLength(1);
      return mails;
    });
    expect(mail!['inhalt_markdown']).toContain(token.slice(0, 8));
  });

  it('can be read from the topic with another client', async (context) => {
    const kcat = promisify(execFile);
    const installed = await kcat('kcat', ['-V']).then(
      () => true,
      () => false,
    );
    context.skip(!installed, 'kcat is not installed (Debian: apt-get install kcat)');
    const { patient_id } = await (await upload(aRegistration())).settled();
    await eventually(async () => {
      const format = ['-f', '%k %h\n'];
      const { stdout } = await kcat('kcat', [
        '-b',
        stack.describe().kafka,
        '-C',
        '-t',
        'patient-events',
        '-e',
        '-q',
        ...format,
      ]);
      expect(stdout).toMatch(
        new RegExp(`^${patient_id} ce_specversion=1.0,ce_id=.*ce_type=patient.created`, 'm'),
      );
    });
  });

  it('is accepted with any content type', async () => {
    const object = await upload(aRegistration(), undefined, 'text/plain');
    expect(await object.settled()).toMatchObject({ outcome: 'imported' });
  });

  it('that is delivered 20 times at once creates one patient, one event and one mail', async () => {
    const object = await upload(aRegistration({ email: 'twenty@example.org' }));
    const answers = await Promise.all(Array.from({ length: 20 }, () => deliver(object)));
    expect(answers.every((answer) => answer.ok)).toBe(true);
    const { patient_id } = await object.settled();
    await eventually(async () => expect(await mailsTo('twenty@example.org')).toHaveLength(1));
    await eventually(async () => expect(await createdEvents(patient_id!)).toHaveLength(1));
  });

  it('in two files with one token creates one patient', async () => {
    const registration = aRegistration({ email: 'again@example.org' });
    const [first, second] = await Promise.all([upload(registration), upload(registration)]);
    const outcomes = [(await first.settled()).outcome, (await second.settled()).outcome];
    expect(outcomes.sort()).toEqual(['duplicate', 'imported']);
    await eventually(async () => expect(await mailsTo('again@example.org')).toHaveLength(1));
  });

  it.each([
    'incoming/mit leerzeichen.json',
    'incoming/100%25 sicher%.json',
    'incoming/Jörg Müßig.json',
    'incoming/../hinauf.json',
    'incoming//doppelt.json',
    `incoming/${'n'.repeat(885)}.json`,
  ])('may be named %s', async (name) => {
    expect(await (await upload(aRegistration(), name)).settled()).toMatchObject({ outcome: 'imported' });
    expect(await objectNames(stack.bucket)).not.toContain(name);
  });

  it('that is overwritten while it is read leaves no file behind and creates at least one patient', async () => {
    const name = `incoming/${randomUUID()}.json`;
    const [first, second] = [aRegistration(), aRegistration()];
    await upload(first, name);
    await upload(second, name);
    await eventually(async () => {
      expect(await objectNames(stack.bucket)).not.toContain(name);
      const tokens = [first, second].map((file) => file.registration_token.slice(0, 8));
      const found = await stack.db.collection('patients').where('zahlungsreferenz', 'in', tokens).get();
      expect(found.size).toBeGreaterThan(0);
    });
  });

  it('that is deleted before it is read is acknowledged', async () => {
    await stack.part('eventarc').stop();
    const object = await upload(aRegistration());
    await stack.bucket.file(object.name).delete();
    expect((await deliver(object)).status).toBe(204);
    expect((await stack.db.doc(`imports/${object.id}`).get()).exists).toBe(false);
    await stack.part('eventarc').start();
  });
});

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
const withConsent = (json: string) =>
  Buffer.from(JSON.stringify(aRegistration()).replace(/"consent_metadata":\{/, `$&"deep":${json},`));
const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 1]));

describe('a file that cannot be imported', () => {
  it.each<[string, unknown, string]>([
    ['not JSON', Buffer.from('vorname=Lena'), 'import.malformed_json'],
    ['truncated', Buffer.from(JSON.stringify(aRegistration()).slice(0, 200)), 'import.malformed_json'],
    ['in UTF-16', Buffer.from(JSON.stringify(aRegistration()), 'utf16le'), 'import.malformed_json'],
    [
      'with a byte order mark',
      Buffer.from(`\ufeff${JSON.stringify(aRegistration())}`),
      'import.malformed_json',
    ],
    ['empty', Buffer.alloc(0), 'import.malformed_json'],
    ['of 2 MiB', Buffer.alloc(2 * 1024 * 1024, 0x20), 'import.too_large'],
    ['an array', [aRegistration()], 'import.invalid'],
    ['of 100,000 nested arrays', Buffer.from(nested(100_000)), 'import.invalid'],
    ['of 5,000 nested arrays in its consent', withConsent(nested(5_000)), 'import.invalid'],
    ['with 60,000 unknown keys', aRegistration(keys(60_000)), 'import.invalid'],
    ['with an unknown key', aRegistration({ notizen: 'x' }), 'import.invalid'],
    ['with a prototype key', Buffer.from('{"__proto__": {"a": 1}, "patient_data": {}}'), 'import.invalid'],
    ['without a token', aRegistration({}, { registration_token: undefined }), 'import.token_missing'],
    ['signed while no key is set', { ...aRegistration(), signature: 'x' }, 'import.signature_unexpected'],
  ])('%s goes to failed/ with its reason, and staff get one message', async (_, content, reason) => {
    const object = await upload(content);
    const record = await object.settled();
    expect(record).toMatchObject({
      outcome: 'failed',
      reason,
      archive_path: expect.stringMatching(/^failed\//),
    });
    expect(await errorDocument(record)).toMatchObject({ reason });
    await eventually(async () => {
      const messages = (await received('system-messages')).filter((message) => message['key'] === object.id);
      expect(messages).toHaveLength(1);
      expect(messages[0]!['message']).toContain(reason);
    });
  });

  it('has the reason not_json_file when its name does not end in .json', async () => {
    const record = await (await upload(aRegistration(), 'incoming/brief.pdf')).settled();
    expect(record).toMatchObject({ outcome: 'failed', reason: 'import.not_json_file' });
  });

  it('has the reason reference_taken when another registration has its reference', async () => {
    const reference = aToken().slice(0, 8);
    await (await upload(aRegistration({}, { registration_token: `${reference}01` }))).settled();
    const record = await (
      await upload(aRegistration({}, { registration_token: `${reference}02` }))
    ).settled();
    expect(record).toMatchObject({ outcome: 'failed', reason: 'import.reference_taken' });
  });

  it('lists all broken rules', async () => {
    const broken = {
      anrede: 'x',
      vorname: '',
      plz: '1',
      email: 'x',
      symptome: [],
      geburtsdatum: '2999-01-01',
    };
    const { violations } = await errorDocument(await (await upload(aRegistration(broken))).settled());
    expect(violations.map(({ pointer }) => pointer.replace('/patient_data/', '')).sort()).toEqual(
      Object.keys(broken).sort(),
    );
  });
});

describe('the communication service', () => {
  it('sends one mail when it first responds with 500 and then accepts', async () => {
    const { communication } = stack.describe();
    await fetch(`${communication}/faults`, {
      method: 'POST',
      body: JSON.stringify({ status: 500, count: 2 }),
    });
    await (await upload(aRegistration({ email: 'patience@example.org' }))).settled();
    await eventually(async () => expect(await mailsTo('patience@example.org')).toHaveLength(1));
    await eventually(async () => {
      const waiting = (await documents(stack.db, 'outbox')).filter((entry) => entry['kind'] === 'mail');
      expect(waiting).toEqual([]);
    });
  });
});

it('writes no value of any person to any log', async () => {
  const logs = await stack.logs();
  expect(logs).toContain('File imported');
  for (const value of [
    'Lena',
    'Beispiel"',
    '@example.org',
    'Musterweg',
    '221000000',
    'Schlafst',
    'Müßig',
    'hinauf',
  ]) {
    const line = logs.split('\n').find((text) => text.includes(value)) ?? '';
    expect(line, `a log line holds ${value}`).toBe('');
  }
});
