/**
 * A page of a search: reads the patients who have one gram of the words, newest first and in batches, checks their
 * text, and stops as soon as the page is full. When most of them are no hits, it counts which gram was rarer in the
 * part read so far, and continues with that one: each gram finds all hits, so it may change at any point.
 */
import type { Firestore, Query } from '@google-cloud/firestore';
import type { Patient } from '../patient/schema.ts';
import { gramsOfWords, matches } from '../patient/search.ts';
import { translated } from './firestore.ts';
import {
  countUpToMaximum,
  exactTotal,
  patientsQuery,
  positionOf,
  startAfter,
  type ListPosition,
  type PageRequest,
  type PatientPage,
  type StatusFilter,
} from './patient-list.ts';
import { fromSnapshot } from './patients.ts';

/**
 * A page reads at most this many patients. Counting included, it stays below 2,000 billed reads: about 0.1 cent.
 */
export const MAX_CANDIDATES = 1500;

const MAX_BATCH = 500;

/** At most this many grams of a search are compared; each comparison costs one read for each gram. */
const MAX_WEIGHED = 12;

/** What a search reads next. */
interface Course {
  /** Undefined when all words are single characters: the list itself is read. */
  readonly gram: string | undefined;
  /** Number of patients to read. */
  readonly batch: number;
}

/**
 * @param words folded, at least one
 * @returns a page that may be short or empty and still have a next one
 * @throws ServiceError `store.unavailable`
 */
export async function searchPatients(
  db: Firestore,
  status: StatusFilter,
  words: readonly string[],
  { limit, after, offset }: PageRequest,
): Promise<PatientPage> {
  const grams = weighable(words);
  // The index finds and counts a single word that is itself a gram exactly.
  const isExact = words.length === 1 && words[0] === grams[0];
  const toSkip = after === undefined ? offset : (after.skip ?? 0);
  const wanted = toSkip + limit + 1;
  const course = { gram: grams[grams.length >> 1], batch: isExact ? wanted : (wanted >> 1) + 3 };
  const [{ hits, end }, counted] = await Promise.all([
    readHits(db, status, words, grams, course, after, wanted),
    isExact && after?.total === undefined
      ? countUpToMaximum(patientsQuery(db, status, grams[0]))
      : after?.total,
  ]);
  const patients = hits.slice(toSkip, toSkip + limit);
  const foundBefore = after?.found ?? 0;
  const complete = end === undefined ? exactTotal(foundBefore + hits.length) : null;
  const page = { patients, total: isExact ? (counted ?? null) : complete };
  if (end === undefined) return { ...page, next: undefined };
  const known = isExact ? { total: page.total } : {};
  const last = hits.length >= wanted ? patients.at(-1) : undefined;
  if (last !== undefined)
    return { ...page, next: { ...positionOf(last), ...known, found: foundBefore + wanted - 1 } };
  const found = foundBefore + hits.length;
  return { ...page, next: { ...end, ...known, found, skip: Math.max(0, toSkip - hits.length) } };
}

/**
 * Reads until there are enough hits, no patients are left, or the limit of candidates is reached.
 * @returns `end` is the last patient that was read, undefined when none is left
 */
async function readHits(
  db: Firestore,
  status: StatusFilter,
  words: readonly string[],
  grams: readonly string[],
  first: Course,
  after: ListPosition | undefined,
  wanted: number,
): Promise<{ readonly hits: readonly Patient[]; readonly end: ListPosition | undefined }> {
  const hits: Patient[] = [];
  let course = first;
  let position = after;
  let looked = 0;
  for (;;) {
    const size = Math.min(course.batch, MAX_BATCH, MAX_CANDIDATES - looked);
    const read = await candidates(patientsQuery(db, status, course.gram), position, size);
    const found = read.filter((patient) => matches(patient, words));
    hits.push(...found);
    looked += read.length;
    const last = read.at(-1);
    if (last === undefined || read.length < size) return { hits, end: undefined };
    const to = positionOf(last);
    if (hits.length >= wanted || looked >= MAX_CANDIDATES) return { hits, end: to };
    const stretch = { from: position, to, candidates: read.length, hits: found.length };
    course = await nextCourse(db, status, grams, course, stretch, wanted - hits.length);
    position = to;
  }
}

/** Grams to compare, spread over the words; those of the longest word are in the middle. */
function weighable(words: readonly string[]): string[] {
  const grams = gramsOfWords(words);
  const step = Math.max(1, Math.ceil(grams.length / MAX_WEIGHED));
  return grams.filter((_, at) => at % step === 0);
}

async function candidates(query: Query, after: ListPosition | undefined, limit: number): Promise<Patient[]> {
  const from = after === undefined ? query : startAfter(query, after);
  const { docs } = await translated(() => from.limit(limit).get());
  return docs.map((doc) => fromSnapshot(doc).patient);
}

/** A part of the list, and what the search found in it. */
interface Stretch {
  readonly from: ListPosition | undefined;
  readonly to: ListPosition;
  readonly candidates: number;
  readonly hits: number;
}

/** Batches at most double, so that a gram that proves worse than estimated costs no more than was read before. */
async function nextCourse(
  db: Firestore,
  status: StatusFilter,
  grams: readonly string[],
  { gram }: Course,
  read: Stretch,
  missing: number,
): Promise<Course> {
  let best = { gram, count: read.candidates };
  if (read.hits * 2 < read.candidates) {
    const others = grams.filter((one) => one !== gram);
    const counted = await translated(() =>
      Promise.all(
        others.map(async (other) => {
          const counting = heldQuery(db, status, other, read).count().get();
          return { gram: other, count: (await counting).data().count };
        }),
      ),
    );
    best = counted.reduce((rarest, one) => (one.count < rarest.count ? one : rarest), best);
  }
  const needed = Math.ceil((missing * best.count) / Math.max(1, read.hits)) + 1;
  return { gram: best.gram, batch: Math.min(Math.max(needed, missing), read.candidates * 2) };
}

/** The patients with a gram in a part of the list, at most as many as were read there. */
export function heldQuery(
  db: Firestore,
  status: StatusFilter,
  gram: string,
  { from, to, candidates }: Omit<Stretch, 'hits'>,
): Query {
  const held = patientsQuery(db, status, gram).where('created_at', '>=', to.created_at);
  return (from === undefined ? held : startAfter(held, from)).limit(candidates);
}
