/**
 * The patients: one document each, `patients/{id}`, with the contract's fields and `_meta`, which only this service
 * uses. A change and its events are one write, so no change is committed without its events.
 */
import type {
  CollectionReference,
  DocumentReference,
  DocumentSnapshot,
  Firestore,
  Transaction,
  WriteBatch,
} from '@google-cloud/firestore';
import { changedFields } from '../patient/schema.ts';
import type { ChangeResult } from '../patient/change.ts';
import { THERAPIST_BLOCKED } from '../patient/exclusions.ts';
import { wholePatient, type Patient, type PatientId, type TherapistId } from '../patient/schema.ts';
import { gramsOf } from '../patient/search.ts';
import type { Instant } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { addAuditEntry, committedEntry, newAuditEntry, type AuditEntry, type Author } from './audit-trail.ts';
import { inTransaction, translated, type Writer } from './firestore.ts';
import { addConsequences } from './outbox.ts';
import { exchangeReference, takeReference } from './payment-references.ts';
import { inTurn } from './turns.ts';

/** A patient as stored. */
export interface StoredPatient {
  readonly patient: Patient;
  /** Number of the patient's last event. Every change has an event, so it is the document's version too. */
  readonly sequence: number;
}

interface Meta {
  readonly sequence: number;
  /** Search index, see patient/search.ts. */
  readonly grams: readonly string[];
  /** Therapists excluded with the reason `therapist_blocked`, to find the patients for `therapist.unblocked`. */
  readonly blocked_therapists: readonly number[];
}

/** The collection `patients`. */
export function patientDocs(db: Firestore): CollectionReference {
  return db.collection('patients');
}

/** The document of a patient. */
export function patientDoc(db: Firestore, id: PatientId): DocumentReference {
  return patientDocs(db).doc(String(id));
}

/**
 * Writes a new patient with its reference and its events; fails the whole write with ALREADY_EXISTS when the
 * id or the reference is taken.
 */
export function addPatient(
  db: Firestore,
  writer: Writer,
  created: ChangeResult,
  now: Instant,
  fileUploadedAt?: Instant,
): StoredPatient {
  const { patient } = created;
  const sequence = addConsequences(db, writer, patient.id, created, 0, now, { fileUploadedAt });
  writer.create(patientDoc(db, patient.id), toDocument(patient, sequence));
  if (patient.zahlungsreferenz !== null) takeReference(db, writer, patient.zahlungsreferenz, patient.id);
  return { patient, sequence };
}

/** @throws ServiceError `patient.not_found` */
export async function readPatient(db: Firestore, id: PatientId): Promise<StoredPatient> {
  return fromSnapshot(await translated(() => patientDoc(db, id).get()));
}

/** The result of a change. */
export interface Update {
  /** The patient after the change, or as it was found when nothing changed. */
  readonly stored: StoredPatient;
  /** Undefined when nothing changed. */
  readonly audit: AuditEntry | undefined;
}

/**
 * Reads a patient, applies `change` and stores the result with its events and its audit entry, all in one
 * transaction; a change without events writes nothing. When the answer to the commit was lost, the result is that of
 * the committed run.
 * @param change pure: it may run again when another writer was faster
 * @throws ServiceError `patient.not_found`, `patient.reference_taken`, whatever `change` throws, `store.*`
 */
export function updatePatient(
  db: Firestore,
  id: PatientId,
  now: Instant,
  author: Author,
  change: (stored: StoredPatient) => ChangeResult,
): Promise<Update> {
  return inTurn([patientDoc(db, id)], () =>
    inTransaction<Update>(db, async (transaction, earlier) => {
      const entries = earlier.flatMap(({ audit }) => audit ?? []);
      const committed = await committedEntry(db, transaction, entries);
      const made = earlier.find(({ audit }) => audit !== undefined && audit === committed);
      if (made !== undefined) return made;
      const { before, after } = await updatePatientWithin(db, transaction, id, now, change);
      if (before === after) return { stored: after, audit: undefined };
      const audit = newAuditEntry(author, id, changedFields(before.patient, after.patient));
      addAuditEntry(db, transaction, audit);
      return { stored: after, audit };
    }),
  );
}

/**
 * Does the work of {@link updatePatient} within a larger transaction whose reads are done; writes no audit entry.
 * @returns the patient before and after; the same object when nothing changed
 */
export async function updatePatientWithin(
  db: Firestore,
  transaction: Transaction,
  id: PatientId,
  now: Instant,
  change: (stored: StoredPatient) => ChangeResult,
): Promise<{ readonly before: StoredPatient; readonly after: StoredPatient }> {
  const stored = fromSnapshot(await transaction.get(patientDoc(db, id)));
  const { patient, ...consequences } = change(stored);
  if (consequences.events.length === 0) return { before: stored, after: stored };
  await exchangeReference(db, transaction, id, stored.patient.zahlungsreferenz, patient.zahlungsreferenz);
  const sequence = addConsequences(db, transaction, id, consequences, stored.sequence, now);
  transaction.set(patientDoc(db, id), toDocument(patient, sequence));
  return { before: stored, after: { patient, sequence } };
}

/**
 * Adds a change of a patient to a batch of {@link withoutLocks}. The batch fails when the patient was changed or erased since
 * `snapshot` was read, even if `change` changes nothing.
 * @param change must keep the payment reference
 * @throws ServiceError `patient.not_found`
 */
export function addPatientUpdate(
  db: Firestore,
  batch: WriteBatch,
  snapshot: DocumentSnapshot,
  now: Instant,
  change: (stored: StoredPatient) => ChangeResult,
): void {
  const { updateTime: lastUpdateTime } = snapshot;
  if (lastUpdateTime === undefined) throw new ServiceError('patient.not_found');
  const stored = fromSnapshot(snapshot);
  const { patient, ...consequences } = change(stored);
  const { id } = stored.patient;
  const sequence = addConsequences(db, batch, id, consequences, stored.sequence, now);
  const changed = consequences.events.length === 0 ? { id } : { ...toDocument(patient, sequence) };
  batch.update(snapshot.ref, changed, { lastUpdateTime });
}

/**
 * Ids of the patients who are assigned to a therapist, in bounded pages. A change removes its patient from the query.
 */
export function assignedPatientsQuery(db: Firestore, therapist: TherapistId, limit: number) {
  return patientDocs(db).where('zugewiesener_therapeut', '==', therapist).limit(limit);
}

/**
 * Ids of the patients who exclude a blocked therapist, in bounded pages. A change removes its patient from the query.
 */
export function blockedPatientsQuery(db: Firestore, therapist: TherapistId, limit: number) {
  return patientDocs(db).where('_meta.blocked_therapists', 'array-contains', therapist).limit(limit);
}

/** @throws ServiceError `patient.not_found` when the document does not exist */
export function fromSnapshot(snapshot: DocumentSnapshot): StoredPatient {
  const data = snapshot.data();
  if (data === undefined) throw new ServiceError('patient.not_found');
  return { patient: wholePatient(data as Patient), sequence: (data['_meta'] as Meta).sequence };
}

function toDocument(patient: Patient, sequence: number): Patient & { _meta: Meta } {
  return {
    ...patient,
    _meta: {
      sequence,
      grams: gramsOf(patient),
      blocked_therapists: patient.ausgeschlossene_therapeuten
        .filter((exclusion) => exclusion.reason === THERAPIST_BLOCKED)
        .map((exclusion) => exclusion.id),
    },
  };
}
