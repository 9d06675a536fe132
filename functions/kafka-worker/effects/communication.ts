/**
 * Records a mail or a call: one write adds an entry to the patient's communication history and sets `letzter_kontakt`.
 * Events that wait together share a write, also those of different patients. A repeated event changes nothing, and neither does the same
 * contact under a new event id: the first event and its time count. Nothing is read to find out: the write itself fails
 * when the event or the contact is known. It is no transaction: one of a killed worker could leave the patient locked, and
 * the next worker begins with the same events.
 */
import type { DocumentSnapshot, Firestore, Timestamp, WriteBatch } from '@google-cloud/firestore';
import { communicationEventPayloads } from '../../../shared/events/consumed-events.ts';
import type { ForeignEnvelope } from '../../../shared/events/envelope.ts';
import { recordContact } from '../../../shared/patient/change.ts';
import type { PatientId } from '../../../shared/patient/schema.ts';
import {
  berlinDateOf,
  utcTimestamp,
  type BerlinDate,
  type Clock,
  type Instant,
} from '../../../shared/platform/clock.ts';
import { ServiceError } from '../../../shared/platform/errors.ts';
import { isNestedAtMost, MAX_LEVELS } from '../../../shared/platform/nesting.ts';
import { inTraceOfNow } from '../../../shared/platform/trace.ts';
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
  /** Size of the message, which is about that of the entry. */
  readonly bytes: number;
  readonly inItsTrace: ReturnType<typeof inTraceOfNow>;
}

/** As many bytes as one message may have: a shared write is never larger than a single event may make it. */
const SHARED_BYTES = 512 * 1024;
const SHARED_EVENTS = 10;
/** With the limit of events, as many as the consumer handles at once in five partitions. */
const SHARED_RUNNING = 4;

export function communicationEffect(db: Firestore, clock: Clock): Effect {
  const limits = {
    running: SHARED_RUNNING,
    items: SHARED_EVENTS,
    bytes: SHARED_BYTES,
    bytesOf: ({ bytes }: Contact) => bytes,
  };
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
    bytes: event.bytes,
    inItsTrace: inTraceOfNow(),
  };
}

/** Records contacts in one write. @returns their results, in the same order */
async function record(db: Firestore, clock: Clock, contacts: readonly Contact[]): Promise<Applied[]> {
  const now = clock();
  const byPatient = Map.groupBy(contacts, ({ patientId }) => patientId);
  const docs = [...byPatient.keys()].map((id) => patientDoc(db, id));
  let since: Timestamp | undefined;
  let added: Contact[] = [];
  let unknown: Contact[] = [];
  try {
    await withoutLocks(db, async (batch) => {
      const snapshots = await translated(() => db.getAll(...docs));
      since ??= snapshots[0]?.readTime;
      added = [];
      unknown = [];
      for (const [at, own] of [...byPatient.values()].entries()) {
        const snapshot = snapshots[at];
        if (snapshot?.exists === true) {
          const others = withoutRepeats(own);
          add(db, batch, snapshot, others, now);
          added.push(...others);
        } else unknown.push(...own);
      }
    });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    // The client repeats a commit whose answer was lost, and the repeat finds what the first one wrote: no duplicates.
    const isOwn = since !== undefined && (await areStoredSince(db, added, since));
    // Of several contacts the error does not tell which one is known: each is then recorded by itself.
    if (!isOwn && contacts.length > 1) throw error;
    if (!isOwn) added = [];
  }
  return contacts.map((contact) => ({ outcome: outcomeOf(contact), patientId: contact.patientId }));

  function outcomeOf(contact: Contact): Applied['outcome'] {
    if (unknown.includes(contact)) return 'unknown_patient';
    return added.includes(contact) ? 'applied' : 'duplicate';
  }
}

/** Adds contacts of one patient to a write, which moves the patient's last contact to the latest of them. */
function add(
  db: Firestore,
  batch: WriteBatch,
  snapshot: DocumentSnapshot,
  contacts: readonly Contact[],
  now: Instant,
): void {
  const latest = contacts.reduce((latest, one) => (one.date > latest.date ? one : latest));
  latest.inItsTrace(() =>
    addPatientUpdate(db, batch, snapshot, now, ({ patient }) => recordContact(patient, latest.date, now)),
  );
  for (const { patientId, entry } of contacts) addCommunication(db, batch, patientId, entry);
}

function withoutRepeats(contacts: readonly Contact[]): Contact[] {
  const others: Contact[] = [];
  for (const contact of contacts) {
    if (!others.some(({ entry }) => isSameContact(entry, contact.entry))) others.push(contact);
  }
  return others;
}
