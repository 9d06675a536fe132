/**
 * Erasures (docs/domain.md#erasure-and-retention): the steps that remove a person from the database. The first step
 * is one transaction that removes the patient and leaves a job, `erasures/{patient_id}`, without personal data. The
 * job remains until every later step is done, so an interrupted erasure can be resumed anywhere.
 */
import type {
  CollectionReference,
  DocumentReference,
  Firestore,
  Query,
  QueryDocumentSnapshot,
  Timestamp,
} from '@google-cloud/firestore';
import { causedByErasure } from '../patient/consequences.ts';
import type { Patient, PatientId } from '../patient/schema.ts';
import { utcTimestamp, type Instant, type UtcTimestamp } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { addAuditEntry, committedEntry, newAuditEntry, type AuditEntry, type Author } from './audit-trail.ts';
import { communicationQuery } from './communication-history.ts';
import { consentDoc } from './consents.ts';
import { deleteAll, inTransaction, isPreconditionLost, translated } from './firestore.ts';
import { importDoc, type RecordId } from './imports.ts';
import { knownContactDocs } from './known-contacts.ts';
import { addConsequences, patientEntriesQuery } from './outbox.ts';
import { claimedUntil } from './outbox-mails.ts';
import { fromSnapshot, patientDoc } from './patients.ts';
import { paymentReferenceDoc } from './payment-references.ts';
import { keysOfPatient, readSalt, type PersonKey } from './person-keys.ts';
import { buryToken, patientTokensQuery, type TokenHash } from './registration-tokens.ts';

/** An erasure in progress. */
export interface Erasure {
  readonly patient_id: PatientId;
  readonly token_hashes: readonly TokenHash[];
  /** Keys to find failed files that have none of the tokens; missing in a job of an earlier release. */
  readonly person_keys?: readonly PersonKey[];
  readonly requested_at: UtcTimestamp;
  /** When its completion last failed in the scheduled run; until then when it was requested. */
  readonly tried_at: UtcTimestamp;
  /** Number of the patient's last event, which `patient.deleted` follows. */
  readonly sequence: number;
  /** True once `patient.deleted` is in the outbox, or was published before. */
  readonly announced: boolean;
  /** `patient.deleted` must not be sent before this time, since a mail may be on its way; null when none is. */
  readonly hold_until: Timestamp | null;
  /** Who asked for it; undefined in a job of an older release. */
  readonly requested_by?: Author;
}

/** How an erasure begins. */
export interface ErasureOptions {
  /** Who asks for it, for the audit trail. */
  readonly by: Author;
  /** Checked on the stored patient within the transaction: false leaves everything unchanged. */
  readonly onlyIf?: (patient: Patient) => boolean;
  /** True when `patient.deleted` is already on the topic, because the database was restored since. */
  readonly isAnnounced?: boolean;
}

/** What the beginning of an erasure did. */
export interface Begun {
  /** Undefined when `onlyIf` said no. */
  readonly erasure: Erasure | undefined;
  /** Undefined when this request did not remove the patient. */
  readonly audit: AuditEntry | undefined;
}

function erasureDocs(db: Firestore): CollectionReference {
  return db.collection('erasures');
}

/** The document of a patient's erasure while it is in progress. */
export function erasureDoc(db: Firestore, id: PatientId): DocumentReference {
  return erasureDocs(db).doc(String(id));
}

/**
 * Removes the patient, consent, reference and waiting outbox entries, and makes the registration token a tombstone. It
 * creates a job, from which {@link announceErasure} later puts `patient.deleted` into the outbox. An erasure that was
 * begun before is returned unchanged. When the answer to the commit was lost, the result is that of the committed run.
 * @throws ServiceError `patient.not_found`, `store.*`
 */
export async function beginErasure(
  db: Firestore,
  id: PatientId,
  now: Instant,
  { by, onlyIf = () => true, isAnnounced = false }: ErasureOptions,
): Promise<Begun> {
  const salt = await readSalt(db);
  return inTransaction<Begun>(db, async (transaction, earlier) => {
    const entries = earlier.flatMap(({ audit }) => audit ?? []);
    const committed = await committedEntry(db, transaction, entries);
    const made = earlier.find(({ audit }) => audit !== undefined && audit === committed);
    if (made !== undefined) return made;
    const [begun, snapshot] = await transaction.getAll(erasureDoc(db, id), patientDoc(db, id));
    if (begun?.exists === true && snapshot?.exists !== true) {
      return { erasure: begun.data() as Erasure, audit: undefined };
    }
    if (snapshot?.exists !== true) throw new ServiceError('patient.not_found');
    const { patient, sequence } = fromSnapshot(snapshot);
    if (!onlyIf(patient)) return { erasure: undefined, audit: undefined };
    const [waiting, tokens] = await Promise.all([
      transaction.get(patientEntriesQuery(db, id)),
      transaction.get(patientTokensQuery(db, id)),
    ]);
    for (const entry of newestThatFit(waiting.docs)) transaction.delete(entry.ref);
    if (patient.zahlungsreferenz !== null) {
      transaction.delete(paymentReferenceDoc(db, patient.zahlungsreferenz));
    }
    transaction.delete(consentDoc(db, id));
    transaction.delete(patientDoc(db, id));
    const hashes = tokens.docs.map((doc) => doc.id as TokenHash);
    for (const hash of hashes) buryToken(db, transaction, hash, now);
    const erasure: Erasure = {
      patient_id: id,
      token_hashes: hashes,
      person_keys: keysOfPatient(salt, patient),
      requested_at: utcTimestamp(now),
      tried_at: utcTimestamp(now),
      sequence,
      announced: isAnnounced,
      hold_until: lastClaim(waiting.docs) ?? null,
      requested_by: by,
    };
    transaction.set(erasureDoc(db, id), erasure);
    const audit = newAuditEntry(by, id, []);
    addAuditEntry(db, transaction, audit);
    return { erasure, audit };
  });
}

/** Puts `patient.deleted` into the outbox, once: the last event of the patient. @throws ServiceError `store.*` */
export async function announceErasure(db: Firestore, id: PatientId, now: Instant): Promise<void> {
  await inTransaction(db, async (transaction) => {
    const job = await transaction.get(erasureDoc(db, id));
    const erasure = job.data() as Erasure | undefined;
    // A job without this field was left by an older release, which announced the erasure at its beginning.
    if (erasure?.announced !== false) return;
    const { sequence, hold_until } = erasure;
    addConsequences(db, transaction, id, causedByErasure(id), sequence, now, {
      notBefore: hold_until ?? undefined,
    });
    transaction.update(job.ref, { announced: true });
  });
}

/** When the last claim on a mail of the patient expires; undefined when no mail is being sent. */
function lastClaim(waiting: readonly QueryDocumentSnapshot[]): Timestamp | undefined {
  const claims = waiting.map(claimedUntil).filter((until) => until !== undefined);
  return claims.toSorted((a, b) => a.toMillis() - b.toMillis()).at(-1);
}

/** Size of the payloads that one commit deletes. Firestore allows 10 MiB a commit, index entries included. */
const DELETED_AT_ONCE_BYTES = 4 * 1024 * 1024;

/**
 * The mails, and as many of the newest events as fit. The deleted numbers are then directly before `patient.deleted`,
 * even if older events are left to the next step and published meanwhile.
 */
function newestThatFit(waiting: readonly QueryDocumentSnapshot[]): readonly QueryDocumentSnapshot[] {
  let bytes = 0;
  const ordered = newestFirst(waiting);
  const end = ordered.findIndex((entry) => {
    bytes += Buffer.byteLength((entry.get('envelope') ?? entry.get('body')) as string);
    return bytes > DELETED_AT_ONCE_BYTES;
  });
  return end === -1 ? ordered : ordered.slice(0, end);
}

function newestFirst(entries: readonly QueryDocumentSnapshot[]): readonly QueryDocumentSnapshot[] {
  const sequence = (entry: QueryDocumentSnapshot) =>
    (entry.get('sequence') as number | undefined) ?? Number.MAX_SAFE_INTEGER;
  return entries.toSorted((a, b) => sequence(b) - sequence(a));
}

/** Removes the patient's outbox entries that the first step left, except `patient.deleted`. */
export async function erasePending(db: Firestore, id: PatientId): Promise<void> {
  const { docs } = await translated(() => patientEntriesQuery(db, id).get());
  await deleteAll(
    db,
    newestFirst(docs).filter((entry) => entry.get('event_type') !== 'patient.deleted'),
  );
}

/** Removes the communication history and the notes of its contacts. */
export async function eraseHistory(db: Firestore, id: PatientId): Promise<void> {
  await erasePages(communicationQuery(db, id));
  await erasePages(knownContactDocs(db, id));
}

async function erasePages(query: Query): Promise<void> {
  const PAGE = 300;
  for (;;) {
    const page = await translated(() => query.limit(PAGE).get());
    await deleteAll(query.firestore, page.docs);
    if (page.size < PAGE) return;
  }
}

/**
 * Removes a file's record, once its objects are gone. Does nothing when there is none.
 * @param unlessChangedSince leaves the record as it is when it was changed after this time
 */
export async function eraseImportRecord(
  db: Firestore,
  recordId: RecordId,
  unlessChangedSince?: Timestamp,
): Promise<void> {
  const precondition = unlessChangedSince === undefined ? {} : { lastUpdateTime: unlessChangedSince };
  try {
    await translated(() => importDoc(db, recordId).delete(precondition));
  } catch (error) {
    if (!isPreconditionLost(error)) throw error;
  }
}

/** The last step: removes the job. */
export async function closeErasure(db: Firestore, id: PatientId): Promise<void> {
  await translated(() => erasureDoc(db, id).delete());
}

/** Lets the other open erasures go first, after one has failed. @throws ServiceError `store.*` */
export async function putBackErasure(db: Firestore, id: PatientId, now: Instant): Promise<void> {
  await translated(() => erasureDoc(db, id).update({ tried_at: utcTimestamp(now) }));
}

/** Erasures that have begun and are not done; those that have waited longest for a try come first. */
export function openErasuresQuery(db: Firestore, limit: number): Query {
  return erasureDocs(db).orderBy('tried_at').limit(limit);
}

/** The erasures of {@link openErasuresQuery}. @throws ServiceError `store.unavailable` */
export async function openErasures(db: Firestore, limit: number): Promise<Erasure[]> {
  const page = await translated(() => openErasuresQuery(db, limit).get());
  return page.docs.map((doc) => doc.data() as Erasure);
}
