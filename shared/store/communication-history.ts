/**
 * The communication with a patient: one entry for each contact, below the patient's document. A contact is one mail or
 * one call. It has one entry even if its event is delivered twice or its producer sends it again under a new event id.
 */
import { createHash } from 'node:crypto';
import { Filter, type Firestore, type Query, type Transaction } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import type { UtcTimestamp } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { translated, type Writer } from './firestore.ts';
import { patientDoc } from './patients.ts';

/** One contact with a patient, from one consumed event. */
export interface CommunicationEntry {
  readonly event_id: string;
  readonly event_type: string;
  readonly occurred_at: UtcTimestamp;
  /** The id of the mail or the call at the communication service; empty when the event has none. */
  readonly reference_id: string;
  /** The event's payload, as received. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** The entry after which a page begins. */
export type HistoryPosition = Pick<CommunicationEntry, 'occurred_at' | 'event_id'>;

function history(db: Firestore, patientId: PatientId) {
  return patientDoc(db, patientId).collection('communication');
}

/**
 * The document id, the same for every event of a contact. An entry without a reference is identified by its event.
 * Entries written before December 2026 have their event's id instead, see {@link contactQuery}.
 */
function contactId({ event_id, event_type, reference_id }: CommunicationEntry): string {
  const contact = reference_id.trim() === '' ? [event_id] : [event_type, reference_id];
  return createHash('sha256').update(JSON.stringify(contact)).digest('hex');
}

/** Below Firestore's 1 MiB for a document. A message is smaller, but JSON may write its numbers longer: 1e20 has 21 digits. */
const MAX_DATA_BYTES = 1_000_000;

/**
 * Writes an entry; the whole write fails with ALREADY_EXISTS when the contact has one.
 * @throws ServiceError `event.too_large`
 */
export function addCommunication(
  db: Firestore,
  writer: Writer,
  patientId: PatientId,
  { data, ...entry }: CommunicationEntry,
): void {
  const doc = history(db, patientId).doc(contactId({ data, ...entry }));
  // As text: a foreign payload may hold what a Firestore map cannot, such as an array within an array.
  const text = JSON.stringify(data);
  if (Buffer.byteLength(text) > MAX_DATA_BYTES) throw new ServiceError('event.too_large');
  writer.create(doc, { ...entry, data: text });
}

type ContactKey = Pick<CommunicationEntry, 'event_id' | 'event_type' | 'reference_id'>;

/** True for two events of the same contact, and for two deliveries of the same event. */
export function isSameContact(one: ContactKey, other: ContactKey): boolean {
  if (one.event_id === other.event_id) return true;
  return (
    one.reference_id.trim() !== '' &&
    one.event_type === other.event_type &&
    one.reference_id === other.reference_id
  );
}

/**
 * Entries of the same events or the same contacts, whatever their document ids are.
 * @param entries at most 15: Firestore allows 30 alternatives in a query
 */
export function contactQuery(
  db: Firestore,
  patientId: PatientId,
  entries: readonly CommunicationEntry[],
): Query {
  const same = entries.flatMap((entry) => {
    const sameEvent = Filter.where('event_id', '==', entry.event_id);
    const sameContact = Filter.and(
      Filter.where('event_type', '==', entry.event_type),
      Filter.where('reference_id', '==', entry.reference_id),
    );
    return entry.reference_id.trim() === '' ? [sameEvent] : [sameEvent, sameContact];
  });
  return history(db, patientId).where(Filter.or(...same));
}

/**
 * Finds which contacts already have an entry. Call it before the write and not within its transaction, where the query
 * would lock the patient's whole history. Of two concurrent writes {@link addCommunication} lets only one succeed.
 * @throws ServiceError `store.unavailable`
 */
export async function knownContacts(
  db: Firestore,
  patientId: PatientId,
  entries: readonly CommunicationEntry[],
): Promise<(entry: CommunicationEntry) => boolean> {
  const { docs } = await translated(() => contactQuery(db, patientId, entries).get());
  const stored = docs.map((doc) => doc.data() as ContactKey);
  return (entry) => stored.some((one) => isSameContact(one, entry));
}

/** The id of the event from which the contact's entry was written; undefined without an entry. Reads one document. */
export async function eventOfContact(
  db: Firestore,
  transaction: Transaction,
  patientId: PatientId,
  entry: CommunicationEntry,
): Promise<string | undefined> {
  const stored = await transaction.get(history(db, patientId).doc(contactId(entry)));
  return stored.get('event_id') as string | undefined;
}

/** Newest first. */
export function communicationQuery(db: Firestore, patientId: PatientId, after?: HistoryPosition): Query {
  const ordered = history(db, patientId).orderBy('occurred_at', 'desc').orderBy('event_id', 'desc');
  return after === undefined ? ordered : ordered.startAfter(after.occurred_at, after.event_id);
}

/** One page of a history, newest first. */
export interface HistoryPage {
  readonly entries: readonly CommunicationEntry[];
  /** Where the next page begins; undefined on the last one. */
  readonly next: HistoryPosition | undefined;
}

/** A page of 1,000 entries of 512 KiB each, from the largest messages, would not fit into the memory of the API. */
const PAGE_BYTES = 4 * 1024 * 1024;
const READ_AT_ONCE = 200;

/**
 * @param limit entries at most; fewer when their data exceeds 4 MiB
 * @throws ServiceError `store.unavailable`
 */
export async function readCommunication(
  db: Firestore,
  patientId: PatientId,
  limit: number,
  after?: HistoryPosition,
): Promise<HistoryPage> {
  const entries: CommunicationEntry[] = [];
  let bytes = 0;
  for (;;) {
    const last = entries.at(-1);
    const wanted = Math.min(limit - entries.length, READ_AT_ONCE) + 1;
    const query = communicationQuery(db, patientId, last ?? after);
    const { docs } = await translated(() => query.limit(wanted).get());
    for (const doc of docs) {
      if (entries.length === limit || bytes > PAGE_BYTES) return { entries, next: entries.at(-1) };
      const data = doc.get('data') as string;
      bytes += data.length;
      entries.push({
        event_id: doc.get('event_id') as string,
        event_type: doc.get('event_type') as string,
        occurred_at: doc.get('occurred_at') as string,
        reference_id: doc.get('reference_id') as string,
        data: JSON.parse(data) as CommunicationEntry['data'],
      });
    }
    if (docs.length < wanted) return { entries, next: undefined };
  }
}
