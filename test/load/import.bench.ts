/** Imports per second compared with a bare loop of the same Firestore writes and Storage calls at the same concurrency. */
import { randomUUID } from 'node:crypto';
import type { FinalizedObject } from '../../shared/registration/bucket.ts';
import { importObject } from '../../shared/registration/import-object.ts';
import { aRegistration } from '../support/builders.ts';
import { importWorld } from '../support/import-world.ts';
import { percentile, rate, type Bench } from './rows.ts';

const ROUNDS = 5;
const FILES = 200;
const CONCURRENCY = 16;

export const bench: Bench = async (progress) => {
  const ours = await importWorld();
  const bare = await importWorld();
  await importObject(ours.deps, await ours.drop(aRegistration()));
  const samples = await documentsOf(ours);
  const runs = {
    ours: (object: FinalizedObject) => importObject(ours.deps, object),
    bare: (object: FinalizedObject) => bareImport(bare, object, samples),
  };
  // Both once before the clock starts: connections, the lease of ids, the compiler.
  await rate(await upload(ours, 100), CONCURRENCY, runs.ours);
  await rate(await upload(bare, 100), CONCURRENCY, runs.bare);

  const measured: Record<'ours' | 'bare', number[]> = { ours: [], bare: [] };
  for (let round = 1; round <= ROUNDS; round += 1) {
    progress(`round ${round} of ${ROUNDS}: ${FILES} files each way, ${CONCURRENCY} at a time`);
    // Alternating, so that changes of the machine's speed affect both.
    measured.ours.push(await rate(await upload(ours, FILES), CONCURRENCY, runs.ours));
    measured.bare.push(await rate(await upload(bare, FILES), CONCURRENCY, runs.bare));
  }
  const value = percentile(measured.ours, 0.5);
  const bareRate = percentile(measured.bare, 0.5);
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

interface Document {
  readonly collection: string;
  readonly data: object;
}

/** The documents that one import wrote, which the bare loop writes repeatedly. */
async function documentsOf({ db }: World): Promise<Document[]> {
  const collections = [
    'imports',
    'registration_tokens',
    'consents',
    'payment_references',
    'patients',
    'outbox',
    'mail_counts',
  ];
  const found = await Promise.all(
    collections.map(async (collection) => {
      const { docs } = await db.collection(collection).get();
      return docs.map((doc) => ({ collection, data: doc.data() }));
    }),
  );
  return found.flat();
}

/** The calls of an import without its rules: one batch of its documents, one move, one update that records the move. */
async function bareImport({ db, bucket }: World, { name }: FinalizedObject, samples: readonly Document[]) {
  const source = bucket.file(name);
  const target = bucket.file(`processed/${randomUUID()}.json`);
  await source.download();
  const batch = db.batch();
  const written = samples.map(({ collection, data }) => {
    const doc = db.collection(collection).doc();
    batch.create(doc, data);
    return doc;
  });
  await batch.commit();
  await source.copy(target, { preconditionOpts: { ifGenerationMatch: 0 } });
  await written[0]?.update({ archived_at: 'now' });
  await source.delete();
}
