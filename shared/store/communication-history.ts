/**
 * The communication with a patient: one entry for each contact, below the patient's document. A contact is one mail or
 * one call. An entry's document id is its event's id, so an event that is delivered twice has one entry;
 * known-contacts.ts ensures the same for a contact that its producer sends again under a new event id.
 */
import type { Firestore, Query, Timestamp } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import type { UtcTimestamp } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { translated, type Writer } from './firestore.ts';
import { noteContact } from './known-contacts.ts';
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

/** Below Firestore's 1 MiB for a document. A message is smaller, but JSON may write its numbers longer: 1e20 has 21 digits. */
const MAX_DATA_BYTES = 1_000_000;

/**
 * Writes an entry; the whole write fails with ALREADY_EXISTS when the event or its contact has one.
 * @throws ServiceError `event.too_large`
 */
export function addCommunication(
  db: Firestore,
  writer: Writer,
  patientId: PatientId,
  { data, ...entry }: CommunicationEntry,
): void {
  // As text: a foreign payload may hold what a Firestore map cannot, such as an array within an array.
  const text = JSON.stringify(data);
  if (Buffer.byteLength(text) > MAX_DATA_BYTES) throw new ServiceError('event.too_large');
  writer.create(history(db, patientId).doc(entry.event_id), { ...entry, data: text });
  noteContact(db, writer, patientId, entry);
}

/** True when the entries of all these contacts were stored after `since`. Reads one document for each. @throws ServiceError `store.*` */
export async function areStoredSince(
  db: Firestore,
  contacts: readonly { readonly patientId: PatientId; readonly entry: CommunicationEntry }[],
  since: Timestamp,
): Promise<boolean> {
  if (contacts.length === 0) return true;
  const docs = contacts.map(({ patientId, entry }) => history(db, patientId).doc(entry.event_id));
  const stored = await translated(() => db.getAll(...docs));
  return stored.every(({ createTime }) => createTime !== undefined && createTime > since);
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
