/**
 * Everything that is stored about one person, as one JSON document (GDPR, articles 15 and 20). It is written in pieces:
 * the communication history comes last and page by page, so that a long one does not fill the memory.
 */
import type { Firestore, QuerySnapshot, Timestamp } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import { utcTimestamp, type Instant } from '../platform/clock.ts';
import type { Config } from '../platform/config.ts';
import { readCommunication, type HistoryPosition } from './communication-history.ts';
import { readConsent } from './consents.ts';
import { translated } from './firestore.ts';
import { patientKeysQuery } from './idempotency-keys.ts';
import { KEPT_DAYS } from './kept-days.ts';
import { counterOf, readCount } from './mail-counts.ts';
import { patientEntriesQuery } from './outbox.ts';
import { readPatient } from './patients.ts';
import { filesOf, type PersonTraces } from './person-files.ts';
import { keysOfPatient, readSalt } from './person-keys.ts';
import { patientTokensQuery, type TokenHash } from './registration-tokens.ts';

/** The days that differ between environments. */
export const keptDaysVariables = [
  'KAFKA_RETENTION_DAYS',
  'LOG_RETENTION_DAYS',
  'AUDIT_RETENTION_DAYS',
  'AUDIT_TRAIL_RETENTION_DAYS',
] as const;
/** Days for which systems around this service keep data, as configured. */
export type KeptDays = Config<(typeof keptDaysVariables)[number]>;

/**
 * Where else copies of a person's data may exist, and for how many days; docs/operations.md describes them.
 */
const copiesFor = (kept: KeptDays) => [
  {
    place: 'Registration files below processed/ (`archive_path` of the imports)',
    days: KEPT_DAYS.processedFiles,
  },
  {
    place: 'Failed registration files below failed/ (`archive_path` of the imports)',
    days: KEPT_DAYS.failedFiles,
  },
  {
    place: 'Kafka: events of and about the person, dead letters included',
    days: kept.KAFKA_RETENTION_DAYS,
  },
  {
    place: "Therapists' events that could not be applied to the person: the patient id",
    days: KEPT_DAYS.appliedEvents,
  },
  { place: 'Point-in-time recovery and backups of the database', days: KEPT_DAYS.recoveryPoints },
  { place: 'Logs: the patient id', days: kept.LOG_RETENTION_DAYS },
  {
    place: 'Logs of access to the database and the files: the patient id',
    days: kept.AUDIT_RETENTION_DAYS,
  },
  { place: 'Audit trail: the patient id', days: kept.AUDIT_TRAIL_RETENTION_DAYS },
];

const PAGE = 200;

/**
 * @returns the document's text in pieces. Iteration throws when the person is erased meanwhile or the database is
 * unavailable; the text so far is then not valid JSON
 * @throws ServiceError `patient.not_found`, `store.*`
 */
export async function exportPatient(
  db: Firestore,
  id: PatientId,
  now: Instant,
  kept: KeptDays,
): Promise<AsyncGenerator<string, void>> {
  const { patient } = await readPatient(db, id);
  const [consent, tokens, keys, outbox, salt, sent] = await Promise.all([
    readConsent(db, id),
    translated(() => patientTokensQuery(db, id).get()),
    translated(() => patientKeysQuery(db, id).get()),
    translated(() => patientEntriesQuery(db, id).get()),
    readSalt(db),
    patient.email === null ? [] : mailsSentTo(db, patient.email, now),
  ]);
  const tokenHashes = tokens.docs.map((doc) => doc.id as TokenHash);
  const head = {
    patient_id: id,
    exported_at: utcTimestamp(now),
    patient,
    consent: consent ?? null,
    payment_reference: patient.zahlungsreferenz,
    registration_token_sha256: tokenHashes,
    imports: await importsOf(db, {
      patient_id: id,
      token_hashes: tokenHashes,
      person_keys: keysOfPatient(salt, patient),
    }),
    idempotency_keys: keys.docs.map((doc) => ({
      key_sha256: doc.id,
      body_sha256: doc.get('body_sha256') as string,
      expires_at: timeOf(doc.get('expires_at') as Timestamp),
    })),
    confirmation_mails_sent: sent.map((at) => new Date(at).toISOString()),
    waiting_mails: waitingOf(outbox, 'mail').map((doc) => ({
      body: JSON.parse(doc.get('body') as string) as object,
      created_at: timeOf(doc.get('created_at') as Timestamp),
    })),
    waiting_events: waitingOf(outbox, 'kafka').map(
      (doc) => JSON.parse(doc.get('envelope') as string) as object,
    ),
    copies: copiesFor(kept),
  };
  return pieces(db, id, JSON.stringify(head));
}

async function* pieces(db: Firestore, id: PatientId, head: string): AsyncGenerator<string, void> {
  yield `${head.slice(0, -1)},"communication":[`;
  let after: HistoryPosition | undefined;
  let comma = '';
  do {
    const { entries, next } = await readCommunication(db, id, PAGE, after);
    if (entries.length > 0) yield comma + entries.map((entry) => JSON.stringify(entry)).join(',');
    comma = ',';
    after = next;
  } while (after !== undefined);
  // An erasure deletes the history page by page: without this check a part of it would look complete.
  await readPatient(db, id);
  yield ']}\n';
}

async function mailsSentTo(db: Firestore, address: string, now: Instant): Promise<readonly number[]> {
  return (await readCount(db, counterOf(address), now)).sent;
}

async function importsOf(db: Firestore, traces: PersonTraces) {
  const files = await filesOf(db, traces);
  return files.map((file) => {
    const { recordId, outcome, reason, violations, archive_path, person_keys = [] } = file;
    const { archived_at, received_at, uploaded_at } = file;
    const times = { archived_at, received_at, uploaded_at };
    return { record_id: recordId, outcome, reason, violations, archive_path, ...times, person_keys };
  });
}

function waitingOf({ docs }: QuerySnapshot, kind: 'mail' | 'kafka') {
  return docs.filter((doc) => doc.get('kind') === kind);
}

function timeOf(timestamp: Timestamp): string {
  return timestamp.toDate().toISOString();
}
