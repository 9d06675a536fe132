/**
 * The audit trail of changes: an entry is written in the transaction that makes the change, so each
 * change has exactly one. The process that made the change logs the entry and removes it; the worker logs the entries
 * that a dead process left. So `audit_trail` holds only entries that are not logged yet, and no personal data.
 */
import { randomUUID } from 'node:crypto';
import {
  FieldValue,
  Timestamp,
  type CollectionReference,
  type DocumentReference,
  type Firestore,
  type Query,
  type Transaction,
} from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import type { Instant } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { continueTrace, currentTrace, traceparentOf, withTrace } from '../platform/trace.ts';
import { deleteAll, translated, type Writer } from './firestore.ts';

/** Who makes a change, and through which backend. */
export interface Author {
  /** The person: the token's subject, or the person that a trusted backend names. An id, not a name. */
  readonly actor: string;
  /** The subject of the backend that made the request for the actor. */
  readonly via?: string | undefined;
  readonly role: string;
  readonly method: string;
  readonly route: string;
}

/** One change of a patient, by ids and names only. */
export interface AuditEntry extends Author {
  readonly auditId: string;
  readonly patientId: PatientId;
  /** Names of the fields that were changed, never their values. */
  readonly fields: readonly string[];
  readonly traceparent: string | undefined;
}

/** An entry with a new id and the trace of the current request. */
export function newAuditEntry(author: Author, patientId: PatientId, fields: readonly string[]): AuditEntry {
  const trace = currentTrace();
  return {
    ...author,
    auditId: randomUUID(),
    patientId,
    fields,
    traceparent: trace === undefined ? undefined : traceparentOf(trace),
  };
}

/** The collection `audit_trail`. */
function auditDocs(db: Firestore): CollectionReference {
  return db.collection('audit_trail');
}

function auditDoc(db: Firestore, auditId: string): DocumentReference {
  return auditDocs(db).doc(auditId);
}

/** Adds an entry to the write that makes its change. */
export function addAuditEntry(db: Firestore, writer: Writer, { auditId, ...entry }: AuditEntry): void {
  writer.create(auditDoc(db, auditId), { ...entry, created_at: FieldValue.serverTimestamp() });
}

/** The entry of the run of a transaction that was committed, of several that may have been; undefined: none was. */
export async function committedEntry(
  db: Firestore,
  transaction: Transaction,
  entries: readonly AuditEntry[],
): Promise<AuditEntry | undefined> {
  if (entries.length === 0) return undefined;
  const found = await transaction.getAll(...entries.map(({ auditId }) => auditDoc(db, auditId)));
  return entries.find((_, index) => found[index]?.exists);
}

/** Entries that wait for a removal, by the client that removes them. */
interface Removals {
  readonly waiting: AuditEntry[];
  /** Will remove what waits then. Undefined while nothing waits. */
  next: Promise<void> | undefined;
  /** Resolves when the removals so far have ended, with or without an error. */
  ended: Promise<void>;
}

const removals = new WeakMap<Firestore, Removals>();

/**
 * Removes an entry that was logged. Entries that come during a removal are removed by the next one, all in one request,
 * so a busy process makes far fewer requests than changes.
 * @throws ServiceError `store.*`
 */
export function removeAuditEntry(db: Firestore, entry: AuditEntry): Promise<void> {
  const own = removals.get(db) ?? { waiting: [], next: undefined, ended: Promise.resolve() };
  removals.set(db, own);
  own.waiting.push(entry);
  if (own.next === undefined) {
    own.next = own.ended.then(() => {
      own.next = undefined;
      return removeAuditEntries(db, own.waiting.splice(0));
    });
    own.ended = own.next.catch(() => undefined);
  }
  return own.next;
}

/** Removes entries that were logged. @throws ServiceError `store.*` */
export function removeAuditEntries(db: Firestore, entries: readonly AuditEntry[]): Promise<void> {
  return deleteAll(
    db,
    entries.map(({ auditId }) => ({ ref: auditDoc(db, auditId) })),
  );
}

/** Logs an entry as one line. A line logged twice has the same `audit_id`, so Cloud Logging drops the repeat. */
export function logAuditEntry(log: Log, { auditId, patientId, traceparent, ...entry }: AuditEntry): void {
  withTrace(continueTrace(traceparent), () => {
    const { actor, via, role, method, route, fields } = entry;
    log.record('audit', {
      audit_id: auditId,
      actor,
      ...(via === undefined ? {} : { via }),
      role,
      method,
      route,
      outcome: 'changed',
      patient_id: patientId,
      patient_ids: [patientId],
      fields,
    });
  });
}

/**
 * Logs one line for an erasure that another process completed than the one that received the request.
 * @param author who requested it; undefined in a job of a release that did not store the author
 */
export function logCompletedErasure(log: Log, patientId: PatientId, author: Author | undefined): void {
  const { via, ...rest } = author ?? {};
  log.record('audit', {
    ...rest,
    ...(via === undefined ? {} : { via }),
    outcome: 'erasure_completed',
    patient_id: patientId,
    patient_ids: [patientId],
  });
}

const PAGE = 300;

/** A page of the oldest entries that were written up to `until`. */
export function auditTrailQuery(db: Firestore, until: Instant): Query {
  return auditDocs(db)
    .where('created_at', '<=', Timestamp.fromMillis(until.epochMilliseconds))
    .orderBy('created_at')
    .limit(PAGE);
}

/** The oldest entries that were written up to `until`, at most 300. @throws ServiceError `store.*` */
export async function readAuditTrail(db: Firestore, until: Instant): Promise<AuditEntry[]> {
  const { docs } = await translated(() => auditTrailQuery(db, until).get());
  return docs.map((doc) => ({ ...(doc.data() as Omit<AuditEntry, 'auditId'>), auditId: doc.id }));
}
