/** Figures about the entries that wait in the outbox, for health and the operators. The relay does not use them. */
import {
  FieldPath,
  type Firestore,
  type Query,
  type QueryDocumentSnapshot,
  type Timestamp,
} from '@google-cloud/firestore';
import { Temporal } from 'temporal-polyfill';
import type { PatientId } from '../patient/schema.ts';
import type { Instant } from '../platform/clock.ts';
import { translated } from './firestore.ts';
import { entriesOf, outboxDocs } from './outbox.ts';

type Kind = 'kafka' | 'mail';

/** The entries that wait in the outbox. */
export interface OutboxBacklog {
  readonly events: number;
  readonly mails: number;
  /** When the oldest waiting entry was committed; undefined when nothing waits. */
  readonly oldest: Instant | undefined;
}

/** All entries of a kind. */
export function waitingQuery(db: Firestore, kind: Kind): Query {
  return outboxDocs(db).where('kind', '==', kind);
}

/** The oldest waiting entry of a kind. */
export function longestWaitingQuery(db: Firestore, kind: Kind): Query {
  return (
    entriesOf(db, kind)
      .orderBy('created_at')
      // Order by a field that only this kind has, so that neither index holds entries of the other.
      .orderBy(kind === 'kafka' ? 'sequence' : 'path')
      .limit(1)
  );
}

/** @throws ServiceError `store.unavailable` */
export async function outboxBacklog(db: Firestore): Promise<OutboxBacklog> {
  const [events, mails, firstEvent, firstMail] = await translated(() =>
    Promise.all([
      waitingQuery(db, 'kafka').count().get(),
      waitingQuery(db, 'mail').count().get(),
      longestWaitingQuery(db, 'kafka').get(),
      longestWaitingQuery(db, 'mail').get(),
    ]),
  );
  const since = [...firstEvent.docs, ...firstMail.docs].map((doc) =>
    (doc.get('created_at') as Timestamp).toMillis(),
  );
  return {
    events: events.data().count,
    mails: mails.data().count,
    oldest: since.length === 0 ? undefined : Temporal.Instant.fromEpochMilliseconds(Math.min(...since)),
  };
}

/** A waiting event, by its ids and numbers. */
export interface WaitingEvent {
  readonly eventId: string;
  readonly patientId: PatientId;
  readonly sequence: number;
}

/** @throws ServiceError `store.unavailable` */
export async function waitingEvents(db: Firestore): Promise<WaitingEvent[]> {
  const events: WaitingEvent[] = [];
  for await (const doc of waiting(db, 'patient_id', 'sequence')) {
    events.push({
      eventId: doc.id,
      patientId: doc.get('patient_id') as PatientId,
      sequence: doc.get('sequence') as number,
    });
  }
  return events;
}

/** The patients who have an event that is not published yet. @throws ServiceError `store.unavailable` */
export async function patientsWithEvents(db: Firestore): Promise<Set<number>> {
  const patients = new Set<number>();
  for await (const doc of waiting(db, 'patient_id')) patients.add(doc.get('patient_id') as number);
  return patients;
}

const PAGE = 1_000;

/** The waiting events, page by page: after `republish --all` there is one for each patient. */
async function* waiting(db: Firestore, ...fields: string[]): AsyncGenerator<QueryDocumentSnapshot> {
  const first = waitingQuery(db, 'kafka')
    .select(...fields)
    .orderBy(FieldPath.documentId())
    .limit(PAGE);
  for (let page = first; ;) {
    const { docs } = await translated(() => page.get());
    yield* docs;
    const last = docs.at(-1);
    if (last === undefined) return;
    page = first.startAfter(last);
  }
}
