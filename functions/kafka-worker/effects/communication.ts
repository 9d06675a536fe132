/**
 * Records a mail or a call: one write adds an entry to the patient's communication history and sets `letzter_kontakt`.
 * Events of one patient that wait together share a write. A repeated event changes nothing, and neither does the same
 * contact under a new event id: the first event and its time count. Nothing is read to find out: the write itself fails
 * when the event or the contact is known. It is no transaction: one of a killed worker could leave the patient locked, and
 * the next worker begins with the same events.
 */
import type { Firestore, Timestamp } from '@google-cloud/firestore';
import { communicationEventPayloads } from '../../../shared/events/consumed-events.ts';
import type { ForeignEnvelope } from '../../../shared/events/envelope.ts';
import { recordContact } from '../../../shared/patient/change.ts';
import type { PatientId } from '../../../shared/patient/schema.ts';
import { berlinDateOf, utcTimestamp, type BerlinDate, type Clock } from '../../../shared/platform/clock.ts';
import { isServiceError, ServiceError } from '../../../shared/platform/errors.ts';
import { isNestedAtMost, MAX_LEVELS } from '../../../shared/platform/nesting.ts';
import {
  addCommunication,
  areStoredSince,
  type CommunicationEntry,
} from '../../../shared/store/communication-history.ts';
import { isAlreadyExists, translated, withoutLocks } from '../../../shared/store/firestore.ts';
import { isSameContact } from '../../../shared/store/known-contacts.ts';
import { addPatientUpdate, patientDoc } from '../../../shared/store/patients.ts';
import { sharedTurns } from '../../../shared/store/shared-turns.ts';
import type { Applied, Effect } from './effect.ts';

/** One event of a patient, ready to be recorded. */
interface Contact {
  readonly patientId: PatientId;
  readonly date: BerlinDate;
  readonly entry: CommunicationEntry;
  /** Size of the entry, roughly. */
  readonly bytes: number;
}

/** As many bytes as one message may have: a shared write is never larger than a single event may make it. */
const SHARED_BYTES = 512 * 1024;
const SHARED_EVENTS = 10;

export function communicationEffect(db: Firestore, clock: Clock): Effect {
  const limits = { items: SHARED_EVENTS, bytes: SHARED_BYTES, bytesOf: ({ bytes }: Contact) => bytes };
  const recordInTurn = sharedTurns<Contact, Applied>(limits, (contacts) => record(db, clock, contacts));
  return {
    types: Object.keys(communicationEventPayloads),
    async apply(event) {
      const contact = read(event);
      if (contact === undefined) return { outcome: 'no_patient' };
      return recordInTurn(patientDoc(db, contact.patientId), contact);
    },
  };
}

/** @returns undefined when the event concerns no patient @throws ServiceError `event.invalid_payload` */
function read(event: ForeignEnvelope): Contact | undefined {
  const schema = communicationEventPayloads[event.eventType as keyof typeof communicationEventPayloads];
  const parsed = schema.safeParse(event.payload);
  if (!parsed.success) throw new ServiceError('event.invalid_payload');
  const payload = parsed.data;
  if (!isNestedAtMost(payload, MAX_LEVELS)) throw new ServiceError('event.invalid_payload');
  if (payload.patient_id === null || payload.patient_id === undefined) return undefined;
  return {
    patientId: payload.patient_id,
    date: berlinDateOf(event.occurredAt),
    entry: {
      event_id: event.eventId,
      event_type: event.eventType,
      occurred_at: utcTimestamp(event.occurredAt),
      // 7 and "7" are the same id: producers differ in how they write it.
      reference_id: String('email_id' in payload ? payload.email_id : payload.call_id),
      data: payload,
    },
    bytes: Buffer.byteLength(JSON.stringify(payload)),
  };
}

/** Records contacts of one patient in one write. @returns their results, in the same order */
async function record(db: Firestore, clock: Clock, contacts: readonly Contact[]): Promise<Applied[]> {
  const now = clock();
  const [{ patientId }] = contacts as [Contact];
  const added: Contact[] = [];
  for (const contact of contacts) {
    if (!added.some(({ entry }) => isSameContact(entry, contact.entry))) added.push(contact);
  }
  const entries = added.map(({ entry }) => entry);
  const dates = added.map(({ date }) => date);
  const latest = dates.reduce((latest, date) => (date > latest ? date : latest));
  let since: Timestamp | undefined;
  try {
    await withoutLocks(db, async (batch) => {
      const snapshot = await translated(() => patientDoc(db, patientId).get());
      since ??= snapshot.readTime;
      addPatientUpdate(db, batch, snapshot, now, ({ patient }) => recordContact(patient, latest, now));
      for (const entry of entries) addCommunication(db, batch, patientId, entry);
    });
  } catch (error) {
    if (isServiceError(error, 'patient.not_found'))
      return contacts.map(() => ({ outcome: 'unknown_patient', patientId }));
    if (!isAlreadyExists(error)) throw error;
    // The client repeats a commit whose answer was lost, and the repeat finds what the first one wrote: no duplicates.
    const isOwn = since !== undefined && (await areStoredSince(db, patientId, entries, since));
    // Of several contacts the error does not tell which one is known: each is then recorded by itself.
    if (!isOwn && contacts.length > 1) throw error;
    if (!isOwn) return [{ outcome: 'duplicate', patientId }];
  }
  return contacts.map((contact) => ({
    outcome: added.includes(contact) ? 'applied' : 'duplicate',
    patientId,
  }));
}
