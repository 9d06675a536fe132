/**
 * Pages of patients, newest first, by status and by parts of name or e-mail address. A search asks the gram index for
 * the rarest gram of its words and verifies what it finds on the text.
 */
import type { DocumentSnapshot, Firestore, Query } from '@google-cloud/firestore';
import { type Patient, type PatientId } from '../patient/schema.ts';
import { gramsOfWords, matches, wordsOf } from '../patient/search.ts';
import { translated } from './firestore.ts';
import { fromSnapshot, patientDoc, patientDocs } from './patients.ts';

/** A total is exact up to here, then null. */
const MAX_TOTAL = 10_000;

/** How many grams of a search are compared by frequency, and how many entries of each are counted for it. */
const MAX_WEIGHED = 4;
const MAX_WEIGHT = 2000;

export interface PatientFilter {
  readonly status?: Patient['status'] | undefined;
  readonly search?: string | undefined;
}

/** The patient after whom a page begins. */
type ListPosition = Pick<Patient, 'created_at' | 'id'>;

export interface PageRequest {
  readonly limit: number;
  readonly after?: ListPosition | undefined;
  /** Patients to pass over; 0 with `after`. */
  readonly offset: number;
}

export interface PatientPage {
  readonly patients: readonly Patient[];
  /** Null above 10,000. */
  readonly total: number | null;
  readonly next: ListPosition | undefined;
}

/** @throws ServiceError `store.unavailable` */
export async function listPatients(
  db: Firestore,
  filter: PatientFilter,
  page: PageRequest,
): Promise<PatientPage> {
  const words = wordsOf(filter.search ?? '');
  const grams = gramsOfWords(words);
  const gram = await translated(() => rarest(db, filter.status, grams));
  const query = patientsQuery(db, filter.status, gram);
  // One word as short as a gram is found by the index exactly.
  const exact = gram === undefined || (words.length === 1 && words[0] === gram);
  return translated(() => (exact ? fromIndex(query, page) : verified(db, query, words, page)));
}

/** All patients of a status whose text holds a gram, newest first; each condition where it is given. */
export function patientsQuery(
  db: Firestore,
  status: Patient['status'] | undefined,
  gram: string | undefined,
): Query {
  return candidates(db, status, gram).orderBy('created_at', 'desc').orderBy('id', 'desc');
}

function candidates(db: Firestore, status: Patient['status'] | undefined, gram: string | undefined): Query {
  const everyone = patientDocs(db);
  const ofStatus = status === undefined ? everyone : everyone.where('status', '==', status);
  return gram === undefined ? ofStatus : ofStatus.where('_meta.grams', 'array-contains', gram);
}

async function rarest(
  db: Firestore,
  status: Patient['status'] | undefined,
  grams: readonly string[],
): Promise<string | undefined> {
  const step = Math.max(1, Math.ceil(grams.length / MAX_WEIGHED));
  const weighed = grams.filter((_, at) => at % step === 0);
  if (weighed.length < 2) return weighed[0];
  const weights = await Promise.all(
    weighed.map(async (gram) => ({
      gram,
      count: (await candidates(db, status, gram).limit(MAX_WEIGHT).count().get()).data().count,
    })),
  );
  return weights.reduce((lightest, one) => (one.count < lightest.count ? one : lightest)).gram;
}

async function fromIndex(query: Query, { limit, after, offset }: PageRequest): Promise<PatientPage> {
  const from = after === undefined ? query.offset(offset) : query.startAfter(after.created_at, after.id);
  const [found, counted] = await Promise.all([
    from.limit(limit + 1).get(),
    query
      .limit(MAX_TOTAL + 1)
      .count()
      .get(),
  ]);
  const patients = found.docs.slice(0, limit).map((doc) => fromSnapshot(doc).patient);
  const total = counted.data().count;
  return {
    patients,
    total: total > MAX_TOTAL ? null : total,
    next: found.size > limit ? patients.at(-1) : undefined,
  };
}

async function verified(
  db: Firestore,
  query: Query,
  words: readonly string[],
  page: PageRequest,
): Promise<PatientPage> {
  const { limit, after, offset } = page;
  const hits: ListPosition[] = [];
  let total = 0;
  let passed = 0;
  for await (const doc of searchedFields(query)) {
    if (!matches(doc.data() as Patient, words)) continue;
    total += 1;
    const hit = { created_at: doc.get('created_at') as string, id: doc.get('id') as PatientId };
    if (after === undefined ? passed++ >= offset : follows(hit, after)) hits.push(hit);
    if (total > MAX_TOTAL && hits.length > limit) break;
  }
  const shown = hits.slice(0, limit);
  const docs = shown.length === 0 ? [] : await db.getAll(...shown.map(({ id }) => patientDoc(db, id)));
  return {
    // A patient who was erased since the search is left out.
    patients: docs.filter((doc) => doc.exists).map((doc) => fromSnapshot(doc).patient),
    total: total > MAX_TOTAL ? null : total,
    next: hits.length > limit ? shown.at(-1) : undefined,
  };
}

function searchedFields(query: Query): AsyncIterable<DocumentSnapshot> {
  const projected = query.select('created_at', 'id', 'vorname', 'nachname', 'email');
  return projected.stream() as unknown as AsyncIterable<DocumentSnapshot>;
}

/** In the list's order: older, or as old with a smaller id. */
function follows(one: ListPosition, other: ListPosition): boolean {
  return one.created_at < other.created_at || (one.created_at === other.created_at && one.id < other.id);
}
