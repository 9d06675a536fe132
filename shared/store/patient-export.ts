/**
 * Everything that is stored about one person, as one JSON document (GDPR, articles 15 and 20). It is made piece by piece:
 * the communication history comes last and page by page, so that the longest one does not fill the memory.
 */
import type { Firestore, QuerySnapshot, Timestamp } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import { utcTimestamp, type Instant } from '../platform/clock.ts';
import { readCommunication, type HistoryPosition } from './communication-history.ts';
import { readConsent } from './consents.ts';
import { importsOfPatientQuery, importsOfTokenQuery } from './erasures.ts';
import { translated } from './firestore.ts';
import { patientKeysQuery } from './idempotency-keys.ts';
import type { ImportRecord } from './imports.ts';
import { patientEntriesQuery } from './outbox.ts';
import { readPatient } from './patients.ts';
import { patientTokensQuery, type TokenHash } from './registration-tokens.ts';

/** Where else something of a person may lie, and for how many days; docs/operations.md says it in words. */
const COPIES = [
  { place: 'Registration files below processed/ (`archive_path` of the imports)', days: 30 },
  { place: 'Failed registration files below failed/ (`archive_path` of the imports)', days: 90 },
  { place: 'Kafka: events of and about the person, dead letters included', days: 7 },
  { place: 'Point-in-time recovery and backups of the database', days: 7 },
  { place: 'Logs: the patient id', days: 30 },
  { place: 'Logs of access to the database and the files: the patient id', days: 365 },
  { place: 'Audit trail: the patient id', days: 1095 },
] as const;

const PAGE = 200;

/**
 * @returns the document's text in pieces; their iteration ends with an error when the person is erased meanwhile, or the
 * database is away: an incomplete document is no JSON
 * @throws ServiceError `patient.not_found`, `store.*`
 */
export async function exportPatient(
  db: Firestore,
  id: PatientId,
  now: Instant,
): Promise<AsyncGenerator<string, void>> {
  const { patient } = await readPatient(db, id);
  const [consent, tokens, keys, outbox] = await Promise.all([
    readConsent(db, id),
    translated(() => patientTokensQuery(db, id).get()),
    translated(() => patientKeysQuery(db, id).get()),
    translated(() => patientEntriesQuery(db, id).get()),
  ]);
  const tokenHashes = tokens.docs.map((doc) => doc.id as TokenHash);
  const head = {
    patient_id: id,
    exported_at: utcTimestamp(now),
    patient,
    consent: consent ?? null,
    payment_reference: patient.zahlungsreferenz,
    registration_token_sha256: tokenHashes,
    imports: await importsOf(db, id, tokenHashes),
    idempotency_keys: keys.docs.map((doc) => ({
      key_sha256: doc.id,
      body_sha256: doc.get('body_sha256') as string,
      expires_at: timeOf(doc.get('expires_at') as Timestamp),
    })),
    waiting_mails: waitingOf(outbox, 'mail').map((doc) => ({
      body: JSON.parse(doc.get('body') as string) as object,
      created_at: timeOf(doc.get('created_at') as Timestamp),
    })),
    waiting_events: waitingOf(outbox, 'kafka').map(
      (doc) => JSON.parse(doc.get('envelope') as string) as object,
    ),
    copies: COPIES,
  };
  return pieces(db, id, JSON.stringify(head));
}

async function* pieces(db: Firestore, id: PatientId, head: string): AsyncGenerator<string, void> {
  yield `${head.slice(0, -1)},"communication":[`;
  let after: HistoryPosition | undefined;
  let comma = '';
  do {
    const page = await readCommunication(db, id, PAGE, after);
    if (page.length > 0) yield comma + page.map((entry) => JSON.stringify(entry)).join(',');
    comma = ',';
    after = page.length < PAGE ? undefined : page.at(-1);
  } while (after !== undefined);
  // An erasure takes the history away page by page: without this a part of it would look like the whole.
  await readPatient(db, id);
  yield ']}\n';
}

async function importsOf(db: Firestore, id: PatientId, tokenHashes: readonly TokenHash[]) {
  const queries = [
    importsOfPatientQuery(db, id),
    ...tokenHashes.map((hash) => importsOfTokenQuery(db, hash)),
  ];
  const pages = await translated(() => Promise.all(queries.map((query) => query.get())));
  const records = new Map(
    pages.flatMap(({ docs }) => docs).map((doc) => [doc.id, doc.data() as ImportRecord]),
  );
  return [...records].map(([record_id, record]) => {
    const { outcome, reason, violations, archive_path, archived_at, received_at, uploaded_at } = record;
    return { record_id, outcome, reason, violations, archive_path, archived_at, received_at, uploaded_at };
  });
}

function waitingOf({ docs }: QuerySnapshot, kind: 'mail' | 'kafka') {
  return docs.filter((doc) => doc.get('kind') === kind);
}

function timeOf(timestamp: Timestamp): string {
  return timestamp.toDate().toISOString();
}
