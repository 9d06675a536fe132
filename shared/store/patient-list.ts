/** Pages of patients, newest first, by status. Those of a search are in patient-search.ts. */
import type { Firestore, Query } from '@google-cloud/firestore';
import type { Patient } from '../patient/schema.ts';
import { PATIENTENSTATUS } from '../patient/vocabulary.ts';
import { translated } from './firestore.ts';
import { fromSnapshot, patientDocs } from './patients.ts';

/** Totals above this are null. */
const MAX_TOTAL = 10_000;

/** The patient after whom a page begins. */
export type ListPosition = Pick<Patient, 'created_at' | 'id'>;

/** Where a page begins, and what earlier pages have counted. */
export interface Continuation extends ListPosition {
  /** The total that the first page counted: null when there were too many, left out when it was not counted. */
  readonly total?: number | null | undefined;
  /** In a search: number of hits before this position. */
  readonly found?: number | undefined;
  /** In a search by page number: number of hits still to skip. */
  readonly skip?: number | undefined;
}

/** Which page of a list. */
export interface PageRequest {
  readonly limit: number;
  readonly after?: Continuation | undefined;
  /** Patients to skip; 0 with `after`. */
  readonly offset: number;
}

/** One page of patients; `next` is undefined on the last one. */
export interface PatientPage {
  readonly patients: readonly Patient[];
  /** Null above 10,000, and where a search has not seen all its candidates. */
  readonly total: number | null;
  readonly next: Continuation | undefined;
}

/** Only patients with this status; undefined: all. */
export type StatusFilter = Patient['status'] | undefined;

/** @throws ServiceError `store.unavailable` */
export async function listPatients(
  db: Firestore,
  status: StatusFilter,
  { limit, after, offset }: PageRequest,
): Promise<PatientPage> {
  const query = patientsQuery(db, status);
  const page = after === undefined ? query.offset(offset) : startAfter(query, after);
  const [{ docs }, total] = await Promise.all([
    translated(() => page.limit(limit + 1).get()),
    after?.total === undefined ? countUpToMaximum(query) : after.total,
  ]);
  const patients = docs.slice(0, limit).map((doc) => fromSnapshot(doc).patient);
  const last = docs.length > limit ? patients.at(-1) : undefined;
  return { patients, total, next: last && { ...positionOf(last), total } };
}

/**
 * Patients with a status (or any) whose text contains a gram (or any text), newest first. Any status is queried as "one
 * of all statuses", so that the indexes that begin with the status serve both.
 */
export function patientsQuery(db: Firestore, status: StatusFilter, gram?: string): Query {
  const patients = patientDocs(db);
  const ofStatus =
    status === undefined
      ? patients.where('status', 'in', PATIENTENSTATUS)
      : patients.where('status', '==', status);
  const holding = gram === undefined ? ofStatus : ofStatus.where('_meta.grams', 'array-contains', gram);
  return holding.orderBy('created_at', 'desc').orderBy('id', 'desc');
}

/** The position of a patient in the order of {@link patientsQuery}. */
export function positionOf({ created_at, id }: Patient): ListPosition {
  return { created_at, id };
}

/** The query for what follows a patient in the order of {@link patientsQuery}. */
export function startAfter(query: Query, { created_at, id }: ListPosition): Query {
  return query.startAfter(created_at, id);
}

/** @returns null above 10,000. Firestore bills a read for each thousand. @throws ServiceError `store.unavailable` */
export async function countUpToMaximum(query: Query): Promise<number | null> {
  const counted = await translated(() =>
    query
      .limit(MAX_TOTAL + 1)
      .count()
      .get(),
  );
  return exactTotal(counted.data().count);
}

/** @returns null above 10,000 */
export function exactTotal(count: number): number | null {
  return count > MAX_TOTAL ? null : count;
}
