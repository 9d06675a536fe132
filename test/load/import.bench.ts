/**
 * Imports per second compared with two bare loops at the same concurrency: one writes what an import must write at least,
 * the other the same documents as an import. Both move the file by the same Storage calls.
 */
import { randomUUID } from 'node:crypto';
import { FieldValue, Timestamp, type DocumentData } from '@google-cloud/firestore';
import type { FinalizedObject } from '../../shared/registration/bucket.ts';
import { importObject } from '../../shared/registration/import-object.ts';
import { aRegistration } from '../support/builders.ts';
import { importWorld } from '../support/import-world.ts';
import { percentile, rate, type Bench } from './rows.ts';

const ROUNDS = 20;
const FILES = 60;
/** The first imports of a process take ten times as long: the compiler has not seen the rules yet. */
const WARM_UP = 1_000;
const CONCURRENCY = 16;

/** The record of the object, the token by which a second file is a duplicate, the patient, and one event. */
const AT_LEAST = ['imports', 'registration_tokens', 'patients', 'outbox'];

export const bench: Bench = async (progress) => {
  const ours = await importWorld();
  await importObject(ours.deps, await ours.drop(aRegistration()));
  const samples = await documentsOf(ours);
  const least = AT_LEAST.flatMap(
    (name) => samples.find(({ collection, data }) => collection === name && data['kind'] !== 'mail') ?? [],
  );
  const [same, bare] = [await importWorld(), await importWorld()];
  const sides = [
    { world: ours, work: (object: FinalizedObject) => importObject(ours.deps, object), rates: [0] },
    { world: same, work: (object: FinalizedObject) => bareImport(same, object, samples, true), rates: [0] },
    { world: bare, work: (object: FinalizedObject) => bareImport(bare, object, least, false), rates: [0] },
  ];
  // All once before the clock starts: connections, the lease of ids, the compiler.
  for (const { world, work } of sides) await rate(await upload(world, WARM_UP), CONCURRENCY, work);
  for (const side of sides) side.rates = [];

  for (let round = 1; round <= ROUNDS; round += 1) {
    progress(`round ${round} of ${ROUNDS}: ${FILES} files each way, ${CONCURRENCY} at a time`);
    // In short slices and another order each time, so that changes of the machine's speed affect all.
    sides.push(...sides.splice(0, 1));
    for (const { world, work, rates } of sides)
      rates.push(await rate(await upload(world, FILES), CONCURRENCY, work));
  }
  const perSecond = (world: World) =>
    percentile(sides.find((side) => side.world === world)?.rates ?? [], 0.5);
  return [
    { name: 'imports', value: perSecond(ours), unit: '/s', bare: perSecond(bare), goal: '≥ 0.95 of bare' },
    {
      name: `imports, against the same ${samples.length} documents and the note of the move`,
      value: perSecond(ours),
      unit: '/s',
      bare: perSecond(same),
    },
  ];
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
  readonly data: DocumentData;
}

/** The documents that one import wrote, which the bare loops write repeatedly. */
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
      return docs.map((doc) => ({ collection, data: withServerTimes(doc.data()) }));
    }),
  );
  return found.flat();
}

/** The times of an outbox entry that the server sets: a relay orders events by the time of their commit. */
function withServerTimes(data: DocumentData): DocumentData {
  const times = ['created_at', 'due_at'].filter((name) => data[name] instanceof Timestamp);
  return { ...data, ...Object.fromEntries(times.map((name) => [name, FieldValue.serverTimestamp()])) };
}

/** The calls of an import without its rules: one batch of documents, and one move. */
async function bareImport(
  { db, bucket }: World,
  { name }: FinalizedObject,
  samples: readonly Document[],
  alsoNote: boolean,
) {
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
  if (alsoNote) await written[0]?.update({ archived_at: 'now' });
  await source.delete();
}
