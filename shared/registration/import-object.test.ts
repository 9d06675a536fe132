import type { Timestamp } from '@google-cloud/firestore';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { aRegistration, aToken, signedRegistration } from '../../test/support/builders.ts';
import { documents, importWorld, objectNames } from '../../test/support/import-world.ts';
import { FIELD_NAMES } from '../patient/schema.ts';
import { berlinDateOf, utcTimestamp } from '../platform/clock.ts';
import { recordIdOf, type ImportRecord } from '../store/imports.ts';
import { hashToken, tokenDoc } from '../store/registration-tokens.ts';
import { archive, archivePath } from './archive.ts';
import { copyVersion, deleteVersion, type FinalizedObject, type ImportBucket } from './bucket.ts';
import { importObject } from './import-object.ts';
import { releaseFence } from './restore-fence.ts';

let world: Awaited<ReturnType<typeof importWorld>>;
beforeEach(async () => {
  world = await importWorld();
});

const importOf = (object: FinalizedObject) => importObject(world.deps, object);
const recordOf = (object: FinalizedObject) => recordIdOf(world.bucket.name, object.name, object.generation);

async function outbox(kind: 'kafka' | 'mail') {
  return (await documents(world.db, 'outbox')).filter((entry) => entry['kind'] === kind);
}

describe('a dropped registration', () => {
  it('becomes a patient with exactly the fields of the contract', async () => {
    expect(await importOf(await world.drop(aRegistration()))).toBe('imported');
    const [patient] = await documents(world.db, 'patients');
    const { id, _meta, ...fields } = patient!;
    expect(Object.keys({ ...fields, id }).sort()).toEqual([...FIELD_NAMES].sort());
    expect(fields).toMatchObject({ nachname: 'Beispiel', vertraege_unterschrieben: true, status: 'offen' });
    expect(_meta).toMatchObject({ sequence: 1 });
  });

  it('leaves one created event with the fields in the order of the contract', async () => {
    await importOf(await world.drop(aRegistration()));
    const [entry, ...others] = await outbox('kafka');
    expect(others).toEqual([]);
    const envelope = JSON.parse(String(entry!['envelope']));
    expect(envelope).toMatchObject({ eventType: 'patient.created', sequence: 1, eventId: entry!.id });
    expect(Object.keys(envelope.payload.patient_data)).toEqual(FIELD_NAMES);
  });

  it('leaves one confirmation mail with the reference', async () => {
    await importOf(await world.drop(aRegistration({}, { registration_token: `9c1f04ab${aToken()}` })));
    const [mail, ...others] = await outbox('mail');
    expect(others).toEqual([]);
    expect(mail).toMatchObject({ path: '/api/emails' });
    expect(JSON.parse(String(mail!['body'])).inhalt_markdown).toContain('9c1f04ab');
  });

  it('sends no mail to a patient without an address', async () => {
    await importOf(await world.drop(aRegistration({ email: null })));
    expect(await outbox('mail')).toEqual([]);
  });

  it('keeps the consent with the patient and out of the event', async () => {
    await importOf(
      await world.drop(aRegistration({}, { consent_metadata: { ip_address: '198.51.100.7', n: [[1]] } })),
    );
    const [consent] = await documents(world.db, 'consents');
    const [patient] = await documents(world.db, 'patients');
    expect(consent!.id).toBe(patient!.id);
    expect(JSON.parse(String(consent!['consent_metadata']))).toEqual({
      ip_address: '198.51.100.7',
      n: [[1]],
    });
    expect(JSON.stringify(await outbox('kafka'))).not.toContain('198.51.100.7');
  });

  it('gives the outbox entry the upload time of its file, so that the time to Kafka can be measured', async () => {
    const object = await world.drop(aRegistration());
    await importOf(object);
    const [event] = await outbox('kafka');
    expect((event!['file_uploaded_at'] as Timestamp).toMillis()).toBe(object.uploadedAt.epochMilliseconds);
  });

  it('moves to processed/, named by its record id and the Berlin date of its upload', async () => {
    const object = await world.drop(aRegistration(), 'incoming/Lena Beispiel.json');
    await importOf(object);
    const day = berlinDateOf(object.uploadedAt).replaceAll('-', '/');
    expect(await objectNames(world.bucket)).toEqual([`processed/${day}/${recordOf(object)}.json`]);
  });

  it('logs no personal data', async () => {
    await importOf(await world.drop(aRegistration(), 'incoming/Lena Beispiel.json'));
    expect(world.logged.join('')).toContain('File imported');
    expect(world.logged.join('')).not.toMatch(/Lena|Beispiel|example\.org|221000000|Musterweg|Schlaf/);
  });
});

describe('deliveries', () => {
  it('of one object, 20 at once, create one patient, one event and one mail', async () => {
    const object = await world.drop(aRegistration());
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => importOf(object)));
    expect(new Set(outcomes)).toEqual(new Set(['imported']));
    expect(await documents(world.db, 'patients')).toHaveLength(1);
    expect(await documents(world.db, 'outbox')).toHaveLength(2);
    expect(await objectNames(world.bucket)).toHaveLength(1);
  });

  it('after the move do nothing', async () => {
    const object = await world.drop(aRegistration());
    await importOf(object);
    expect(await importOf(object)).toBe('imported');
    expect(await documents(world.db, 'outbox')).toHaveLength(2);
  });

  it('that died between record and move are completed by the next', async () => {
    const object = await world.drop(aRegistration());
    const broken = { ...world.deps, bucket: unmovable(world.deps.bucket) };
    await expect(importObject(broken, object)).rejects.toMatchObject({
      code: 'storage.unavailable',
      retriable: true,
    });
    expect(await documents(world.db, 'patients')).toHaveLength(1);
    expect(await importOf(object)).toBe('imported');
    expect(await documents(world.db, 'patients')).toHaveLength(1);
    expect(await objectNames(world.bucket)).toEqual([expect.stringMatching(/^processed\//)]);
  });

  it('of a missing object are acknowledged', async () => {
    const object = await world.drop(aRegistration());
    await world.bucket.file(object.name).delete();
    expect(await importOf(object)).toBe('gone');
  });

  it.each(['processed/2026/01/01/x.json', 'incoming/', 'incoming/2026/', 'incoming/x.json/', 'other.json'])(
    'of %s are ignored',
    async (name) => {
      expect(await importOf({ name, generation: '1', bytes: 1, uploadedAt: world.deps.clock() })).toBe(
        'ignored',
      );
    },
  );
});

describe('the same token', () => {
  it('in a second file is a duplicate, not a second patient', async () => {
    const registration = aRegistration();
    await importOf(await world.drop(registration));
    const second = await world.drop(registration);
    expect(await importOf(second)).toBe('duplicate');
    expect(await documents(world.db, 'patients')).toHaveLength(1);
    expect(await documents(world.db, 'outbox')).toHaveLength(2);
    expect(await objectNames(world.bucket)).toContain(
      archivePath('processed', recordOf(second), second.uploadedAt),
    );
  });

  it('in ten files at once is one patient', async () => {
    const registration = aRegistration();
    const objects = await Promise.all(Array.from({ length: 10 }, () => world.drop(registration)));
    const outcomes = await Promise.all(objects.map(importOf));
    expect(outcomes.sort()).toEqual([...Array<string>(9).fill('duplicate'), 'imported']);
  });

  it('of an erased patient deletes the file and creates no patient', async () => {
    const registration = aRegistration();
    await tokenDoc(world.db, hashToken(registration.registration_token)).set({
      patient_id: null,
      erased_at: 'then',
    });
    expect(await importOf(await world.drop(registration))).toBe('erased');
    expect(await documents(world.db, 'patients')).toEqual([]);
    expect(await objectNames(world.bucket)).toEqual([]);
  });

  it('of an erased patient deletes an invalid file too', async () => {
    const registration = aRegistration({ plz: 'x' });
    await tokenDoc(world.db, hashToken(registration.registration_token)).set({
      patient_id: null,
      erased_at: 'then',
    });
    expect(await importOf(await world.drop(registration))).toBe('erased');
    expect(await objectNames(world.bucket)).toEqual([]);
  });
});

describe('a file that fails', () => {
  it('goes to failed/ with its violations and a mail to staff, neither of which contains a value', async () => {
    const object = await world.drop(
      aRegistration({ plz: 'X-123', vorname: '' }),
      'incoming/Lena Beispiel.json',
    );
    expect(await importOf(object)).toBe('failed');
    const path = archivePath('failed', recordOf(object), object.uploadedAt);
    expect(await objectNames(world.bucket)).toEqual([path.replace('.json', '.error.json'), path]);

    const [bytes] = await world.bucket.file(path.replace('.json', '.error.json')).download();
    expect(JSON.parse(bytes.toString())).toMatchObject({
      reason: 'import.invalid',
      violations: [
        { pointer: '/patient_data/vorname', detail: 'must not be blank' },
        { pointer: '/patient_data/plz', detail: 'must be a German postal code of 5 digits' },
      ],
    });
    const [mail] = await outbox('mail');
    expect(mail).toMatchObject({ path: '/api/system-messages' });
    expect(JSON.stringify([bytes.toString(), mail, world.logged])).not.toMatch(
      /X-123|Lena|Beispiel|example\.org/,
    );
  });

  it('keeps its bytes', async () => {
    const object = await world.drop(Buffer.from('not JSON'));
    await importOf(object);
    const [bytes] = await world.bucket
      .file(archivePath('failed', recordOf(object), object.uploadedAt))
      .download();
    expect(bytes.toString()).toBe('not JSON');
  });

  it('is reported to staff once, however often it is delivered', async () => {
    const object = await world.drop(Buffer.from('not JSON'));
    await Promise.all(Array.from({ length: 10 }, () => importOf(object)));
    expect(await outbox('mail')).toHaveLength(1);
  });

  it('has the reason reference_taken when another token begins with the same eight characters', async () => {
    await importOf(await world.drop(aRegistration({}, { registration_token: 'aaaaaaaa0001' })));
    expect(await importOf(await world.drop(aRegistration({}, { registration_token: 'aaaaaaaa0002' })))).toBe(
      'failed',
    );
    const failed = (await documents(world.db, 'imports')).find((record) => record['outcome'] === 'failed');
    expect(failed).toMatchObject({ reason: 'import.reference_taken' });
    expect(await documents(world.db, 'patients')).toHaveLength(1);
  });

  it.each<[string, string]>([
    ['incoming/brief.pdf', 'import.not_json_file'],
    ['incoming/ohne-endung', 'import.not_json_file'],
  ])('named %s has the reason %s', async (name, reason) => {
    expect(await importOf(await world.drop(Buffer.from('{}'), name))).toBe('failed');
    expect(await documents(world.db, 'imports')).toMatchObject([{ reason }]);
  });

  it('is refused at 2 MiB', async () => {
    expect(await importOf(await world.drop(Buffer.alloc(2 * 1024 * 1024, 0x20)))).toBe('failed');
    expect(await documents(world.db, 'imports')).toMatchObject([{ reason: 'import.too_large' }]);
  });
});

describe('a compressed file', () => {
  const gzipped = (content: unknown) => gzipSync(JSON.stringify(content));

  it('is unpacked for reading and archived as stored', async () => {
    const packed = gzipped(aRegistration());
    expect(await importOf(await world.drop(packed, undefined, 'gzip'))).toBe('imported');
    const [file] = (await world.bucket.getFiles())[0];
    expect(file!.metadata).toMatchObject({ contentEncoding: 'gzip', size: String(packed.length) });
    const [bytes] = await file!.download();
    expect(JSON.parse(bytes.toString())).toMatchObject({ patient_data: { nachname: 'Beispiel' } });
  });

  it('may be signed; the signature covers the unpacked text', async () => {
    const key = 'k'.repeat(32);
    const now = utcTimestamp(world.deps.clock());
    const object = await world.drop(gzipped(signedRegistration(key, { timestamp: now })), undefined, 'gzip');
    const deps = { ...world.deps, signature: { key, environment: 'test' } };
    expect(await importObject(deps, object)).toBe('imported');
  });

  it.each<[string, Buffer, string, string]>([
    ['that unpacks to 1 MiB and a byte', gzipSync(Buffer.alloc(2 ** 20 + 1, 0x20)), 'gzip', 'too_large'],
    ['without contentEncoding', gzipped(aRegistration()), '', 'malformed_json'],
    ['packed twice and marked once', gzipSync(gzipped(aRegistration())), 'gzip', 'malformed_json'],
    ['that is none', Buffer.from(JSON.stringify(aRegistration())), 'gzip', 'content_encoding'],
    ['cut off', gzipped(aRegistration()).subarray(0, 100), 'gzip', 'content_encoding'],
    ['empty', Buffer.alloc(0), 'gzip', 'content_encoding'],
    ['in Brotli', brotliCompressSync(JSON.stringify(aRegistration())), 'br', 'content_encoding'],
    ['in deflate', deflateSync(JSON.stringify(aRegistration())), 'deflate', 'content_encoding'],
    ['in an unknown coding', Buffer.from('{}'), 'Lena Beispiel', 'content_encoding'],
  ])('%s (%#) fails once, with its bytes and its reason', async (_, bytes, contentEncoding, reason) => {
    const object = await world.drop(bytes, undefined, contentEncoding);
    expect(await importOf(object)).toBe('failed');
    const records = await documents(world.db, 'imports');
    expect(records).toMatchObject([{ reason: `import.${reason}` }]);
    expect(JSON.stringify([records, world.logged])).not.toMatch(/Lena|Beispiel/);
    const path = archivePath('failed', recordOf(object), object.uploadedAt);
    const [kept] = await world.bucket.file(path).download({ decompress: false });
    expect(kept.equals(bytes)).toBe(true);
  });

  it('of 582 kB that would unpack to 600 MB fails without using more memory than any other file', async () => {
    const { outcome, reason, peakMiB } = await importBomb();
    expect([outcome, reason]).toEqual(['failed', 'import.too_large']);
    expect(peakMiB).toBeLessThan(350);
  });
});

describe('names', () => {
  it.each([
    'incoming/mit leerzeichen.json',
    'incoming/50%25 rabatt%.json',
    'incoming/Jörg Übel.json',
    'incoming/../hinauf.json',
    'incoming//doppelt.json',
    `incoming/${'n'.repeat(890)}.json`,
    'incoming/GROSS.JSON',
  ])('%s is only a name', async (name) => {
    expect(await importOf(await world.drop(aRegistration(), name))).toBe('imported');
    expect(await objectNames(world.bucket)).toEqual([
      expect.stringMatching(/^processed\/\d{4}\/\d{2}\/\d{2}\/[0-9a-f]{64}\.json$/),
    ]);
  });
});

/** Imports in a separate process, so that its memory can be measured. */
async function importBomb(): Promise<{ outcome: string; reason: string; peakMiB: number }> {
  const script = new URL('../../test/support/gzip-bomb.ts', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  return JSON.parse(stdout) as Awaited<ReturnType<typeof importBomb>>;
}

/** The same bucket, but copying fails. */
function unmovable({ name, client }: ImportBucket): ImportBucket {
  const withoutCopies = async () => {
    const bucket = await client();
    return new Proxy(bucket, {
      get(target, key) {
        if (key !== 'file') return Reflect.get(target, key, target) as unknown;
        return (object: string, options?: object) =>
          Object.assign(target.file(object, options), { copy: () => Promise.reject(new Error('cut off')) });
      },
    });
  };
  return { name, client: withoutCopies };
}

/** The state after an importer died right after its copy, when an erasure had already deleted the record. */
async function anOrphan() {
  const world = await importWorld();
  const object = await world.drop(aRegistration());
  const { bucket } = world.deps;
  const target = archivePath(
    'processed',
    recordIdOf(bucket.name, object.name, object.generation),
    object.uploadedAt,
  );
  await copyVersion(bucket, object, target);
  await deleteVersion(bucket, object);
  return { ...world, object, target };
}

it('removes a copy made after the erasure by an importer that died', async () => {
  const { deps, bucket, object } = await anOrphan();
  expect(await importObject(deps, object)).toBe('gone');
  expect(await objectNames(bucket)).toEqual([]);
});

it('removes its own copy when an erasure has deleted the record meanwhile, and does not bring the record back', async () => {
  const object = await world.drop(aRegistration());
  const recordId = recordOf(object);
  const archive_path = archivePath('processed', recordId, object.uploadedAt);
  await archive(world.deps, object, recordId, { outcome: 'imported', archive_path } as ImportRecord);
  expect(await objectNames(world.bucket)).toEqual([]);
  expect(await documents(world.db, 'imports')).toEqual([]);
});

it('keeps the copy of a registration whose record was lost in a restore', async () => {
  const { deps, bucket, object, target } = await anOrphan();
  await releaseFence(deps, { from: null, until: utcTimestamp(object.uploadedAt.add({ hours: 1 })) });
  expect(await importObject(deps, object)).toBe('gone');
  expect(await objectNames(bucket)).toEqual([target]);
  await deps.db.doc('fences/current').delete();
  expect(await importObject(deps, object)).toBe('gone');
  expect(await objectNames(bucket)).toEqual([target]);
});
