/** Rebuilds the stored search index (`_meta.grams`) of all patients, after a change of how text is folded. */
import { isDeepStrictEqual } from 'node:util';
import { FieldPath, type DocumentSnapshot, type Firestore } from '@google-cloud/firestore';
import pLimit from 'p-limit';
import pRetry from 'p-retry';
import { patientId, type Patient, type PatientId } from '../patient/schema.ts';
import { gramsOf, SEARCHED_FIELDS } from '../patient/search.ts';
import { isServiceError } from '../platform/errors.ts';
import { isPreconditionLost, translated } from './firestore.ts';
import { patientDocs } from './patients.ts';

const PAGE_SIZE = 300;
const AT_ONCE = 20;

/** Progress of a rebuild. */
export interface RebuildProgress {
  /** Patients read since the beginning, and how many of them had an outdated index. */
  readonly looked: number;
  readonly rewritten: number;
  /** All patients up to this one are done, in the order of the ids as text. */
  readonly last: PatientId;
}

/**
 * Gives each patient the index that the current code computes, without an event and without a new `updated_at`. A
 * concurrent change writes its own index, which stays.
 * @param after continues after this patient
 * @returns progress after each page
 * @throws ServiceError `store.*`; completed pages stay done
 */
export async function* rebuildSearchIndex(db: Firestore, after?: PatientId): AsyncGenerator<RebuildProgress> {
  const everyone = patientDocs(db)
    .select(...SEARCHED_FIELDS, '_meta.grams')
    .orderBy(FieldPath.documentId())
    .limit(PAGE_SIZE);
  const limit = pLimit(AT_ONCE);
  let [looked, rewritten] = [0, 0];
  for (let from = after === undefined ? undefined : String(after); ;) {
    const query = from === undefined ? everyone : everyone.startAfter(from);
    const { docs } = await translated(() => query.get());
    const last = docs.at(-1);
    if (last === undefined) return;
    const changes = await Promise.all(docs.map((doc) => limit(() => reindexed(doc))));
    looked += docs.length;
    rewritten += changes.filter(Boolean).length;
    from = last.id;
    yield { looked, rewritten, last: patientId.parse(Number(from)) };
  }
}

/** @returns whether the patient had an outdated index */
async function reindexed(found: DocumentSnapshot): Promise<boolean> {
  let hasTried = false;
  for (let doc = found; doc.exists; doc = await translated(() => found.ref.get())) {
    const grams = gramsOf(doc.data() as Patient);
    // The client retries a write whose answer was lost, and the retry fails if the first write succeeded.
    if (isDeepStrictEqual(grams, doc.get('_meta.grams'))) return hasTried;
    hasTried = true;
    if (await replaced(doc, grams)) return true;
  }
  return false;
}

/** @returns false when the patient has changed since it was read */
async function replaced({ ref, updateTime }: DocumentSnapshot, grams: readonly string[]): Promise<boolean> {
  const lastUpdateTime = updateTime === undefined ? {} : { lastUpdateTime: updateTime };
  try {
    await pRetry(() => translated(() => ref.update({ '_meta.grams': grams }, lastUpdateTime)), {
      retries: 6,
      minTimeout: 50,
      randomize: true,
      shouldRetry: ({ error }) => isServiceError(error, 'store.contention'),
    });
    return true;
  } catch (error) {
    if (isPreconditionLost(error)) return false;
    throw error;
  }
}
