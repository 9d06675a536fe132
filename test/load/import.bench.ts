/** Imports per second against a bare loop of the same Firestore writes and Storage calls, at the same concurrency. */
import { randomUUID } from 'node:crypto';
import { importObject, type FinalizedObject } from '../../shared/registration/import-object.ts';
import { aRegistration } from '../support/builders.ts';
import { importWorld } from '../support/import-world.ts';
import { rate, type Bench } from './rows.ts';

const FILES = 1000;
const CONCURRENCY = 16;

export const bench: Bench = async (progress) => {
  const ours = await importWorld();
  const bare = await importWorld();
  // Both once before the clock starts: connections, the lease of ids, the compiler.
  await rate(await upload(ours, 100), CONCURRENCY, (object) => importObject(ours.deps, object));
  await rate(await upload(bare, 100), CONCURRENCY, (object) => bareImport(bare, object));

  progress(`${FILES} imports, ${CONCURRENCY} at a time`);
  const files = await upload(ours, FILES);
  const value = await rate(files, CONCURRENCY, (object) => importObject(ours.deps, object));
  progress('the bare loop');
  const bareFiles = await upload(bare, FILES);
  const bareRate = await rate(bareFiles, CONCURRENCY, (object) => bareImport(bare, object));
  return [{ name: 'imports', value, unit: '/s', bare: bareRate, goal: '≥ 0.7 of bare' }];
};

type World = Awaited<ReturnType<typeof importWorld>>;

async function upload(world: World, count: number): Promise<FinalizedObject[]> {
  const objects: FinalizedObject[] = [];
  const names = Array.from({ length: count }, () => randomUUID());
  await rate(names, CONCURRENCY, async () => {
    objects.push(await world.drop(aRegistration()));
  });
  return objects;
}

/** The calls of an import, without its rules: one batch of seven documents, one move, one note of it. */
async function bareImport({ db, bucket }: World, { name }: FinalizedObject): Promise<void> {
  const source = bucket.file(name);
  const target = `processed/${randomUUID()}.json`;
  const [bytes] = await source.download();
  const registration = JSON.parse(bytes.toString()) as { patient_data: object };
  const batch = db.batch();
  const record = db.collection('imports').doc();
  const event = { envelope: JSON.stringify(registration.patient_data), created_at: new Date() };
  batch.create(record, { archive_path: target });
  for (const collection of ['tokens', 'consents', 'references'])
    batch.create(db.collection(collection).doc(), { a: 1 });
  batch.create(db.collection('patients').doc(), registration.patient_data);
  batch.create(db.collection('outbox').doc(), event);
  batch.create(db.collection('outbox').doc(), event);
  await batch.commit();
  await source.copy(bucket.file(target), { preconditionOpts: { ifGenerationMatch: 0 } });
  await record.update({ archived_at: 'now' });
  await source.delete();
}
