/**
 * What was said with a patient and when: one entry for each communication event, below the patient's document.
 * An entry's id is its event's id, so an event that comes twice is one entry.
 */
import type { DocumentReference, Firestore, Query } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import type { UtcTimestamp } from '../platform/clock.ts';
import { translated, type Writer } from './firestore.ts';
import { patientDoc } from './patients.ts';

export interface CommunicationEntry {
  readonly event_id: string;
  readonly event_type: string;
  readonly occurred_at: UtcTimestamp;
  /** The mail's or the call's id at the communication service. */
  readonly reference_id: string;
  /** The event's payload, as received. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** The entry after which a page begins. */
export type HistoryPosition = Pick<CommunicationEntry, 'occurred_at' | 'event_id'>;

function history(db: Firestore, patientId: PatientId) {
  return patientDoc(db, patientId).collection('communication');
}

function communicationDoc(db: Firestore, patientId: PatientId, eventId: string): DocumentReference {
  return history(db, patientId).doc(eventId);
}

/** Writes an entry; the whole write fails with ALREADY_EXISTS when the event was applied before. */
export function addCommunication(
  db: Firestore,
  writer: Writer,
  patientId: PatientId,
  { data, ...entry }: CommunicationEntry,
): void {
  // As text: a foreign payload may hold what a Firestore map cannot, such as an array within an array.
  writer.create(communicationDoc(db, patientId, entry.event_id), { ...entry, data: JSON.stringify(data) });
}

/** Newest first. */
export function communicationQuery(db: Firestore, patientId: PatientId, after?: HistoryPosition): Query {
  const ordered = history(db, patientId).orderBy('occurred_at', 'desc').orderBy('event_id', 'desc');
  return after === undefined ? ordered : ordered.startAfter(after.occurred_at, after.event_id);
}

/** One page, newest first. @throws ServiceError `store.unavailable` */
export async function readCommunication(
  db: Firestore,
  patientId: PatientId,
  limit: number,
  after?: HistoryPosition,
): Promise<CommunicationEntry[]> {
  const page = await translated(() => communicationQuery(db, patientId, after).limit(limit).get());
  return page.docs.map((doc) => ({
    event_id: doc.get('event_id') as string,
    event_type: doc.get('event_type') as string,
    occurred_at: doc.get('occurred_at') as string,
    reference_id: doc.get('reference_id') as string,
    data: JSON.parse(doc.get('data') as string) as CommunicationEntry['data'],
  }));
}
