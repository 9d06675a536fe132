/** A project and a bucket on the test engines, with everything that the import needs except the trigger. */
import { randomUUID } from 'node:crypto';
import type { Bucket } from '@google-cloud/storage';
import { parseTimestamp } from '../../shared/platform/clock.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { connectBucket, type FinalizedObject } from '../../shared/registration/bucket.ts';
import { mailVariables } from '../../shared/registration/confirmation-mail.ts';
import type { ImportDependencies } from '../../shared/registration/import-object.ts';
import { readOutsideMark } from '../../shared/registration/restore-fence.ts';
import { connectFirestore } from '../../shared/store/firestore.ts';
import { createPatientIds } from '../../shared/store/patient-ids.ts';
import { testLog } from './kafka.ts';

export const mailSettings = {
  PAYMENT_ACCOUNT_HOLDER: 'Muster GmbH',
  PAYMENT_IBAN: 'DE89370400440532013000',
  PAYMENT_BIC: 'COBADEFFXXX',
  MAIL_SENDER_ADDRESS: 'service@example.org',
  MAIL_SENDER_NAME: 'Platzsuche',
  CONTRACT_URL: 'https://example.org/vertrag',
  CONTACT_ADDRESS: 'hilfe@example.org',
};

export async function importWorld(overrides: Partial<ImportDependencies> = {}) {
  const project = `demo-${randomUUID().slice(0, 8)}`;
  const logged: string[] = [];
  const db = connectFirestore({ GOOGLE_CLOUD_PROJECT: project });
  const importBucket = connectBucket({
    GOOGLE_CLOUD_PROJECT: project,
    GCS_IMPORT_BUCKET: `${project}-import`,
    STORAGE_EMULATOR_HOST: process.env['STORAGE_EMULATOR_HOST'],
  });
  const deps: ImportDependencies = {
    db,
    bucket: importBucket,
    allocatePatientId: createPatientIds(db, () => readOutsideMark(importBucket)),
    clock: systemClock,
    log: testLog(logged),
    mail: await readConfig(mailVariables, mailSettings),
    signature: { key: undefined, environment: 'test' },
    ...overrides,
  };
  /** Of the client library, to put files in and look at them. */
  const bucket = await deps.bucket.client();
  return { deps, db, bucket, logged, drop: (...dropped: DropParameters) => drop(bucket, ...dropped) };
}

type DropParameters = [content: unknown, name?: string | undefined, contentEncoding?: string];

/** Uploads a file and returns the description that its storage event would contain. */
async function drop(
  bucket: Bucket,
  ...[content, name = `incoming/${randomUUID()}.json`, contentEncoding]: DropParameters
): Promise<FinalizedObject> {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  const file = bucket.file(name);
  const metadata = contentEncoding === undefined ? {} : { contentEncoding };
  await file.save(bytes, { resumable: false, contentType: 'application/json', metadata });
  const uploadedAt = parseTimestamp(String(file.metadata.timeCreated));
  if (uploadedAt === undefined) throw new Error('the emulator answered no timeCreated');
  return {
    name,
    generation: String(file.metadata.generation),
    bytes: bytes.length,
    uploadedAt,
    contentEncoding: file.metadata.contentEncoding,
  };
}

/** Names of the registration files, without the objects that the service uses itself. */
export async function objectNames(bucket: Bucket): Promise<string[]> {
  const [files] = await bucket.getFiles();
  return files
    .map((file) => file.name)
    .filter((name) => !/^(erasures|fence)\//.test(name))
    .sort();
}

export async function documents(
  db: ImportDependencies['db'],
  collection: string,
): Promise<(Record<string, unknown> & { id: string })[]> {
  const { docs } = await db.collection(collection).get();
  return docs.map((doc) => ({ ...doc.data(), id: doc.id }));
}
