/**
 * Reads the waiting events of the outbox for the relay: the oldest of a shard first, and an event of a patient never
 * before an earlier one.
 */
import {
  Timestamp,
  type DocumentReference,
  type Firestore,
  type Query,
  type QueryDocumentSnapshot,
  type QuerySnapshot,
} from '@google-cloud/firestore';
import { inSnapshot, translated } from './firestore.ts';
import { entriesOf, SHARDS } from './outbox.ts';

/** An event that waits for Kafka. */
export interface OutboxEvent {
  readonly ref: DocumentReference;
  readonly eventId: string;
  readonly eventType: string;
  readonly patientId: number;
  readonly sequence: number;
  /** The message's value as text: a Firestore map would not keep the contract's order of keys. */
  readonly envelope: string;
  readonly timestamp: string;
  readonly traceparent: string | undefined;
  /** Commit time, milliseconds since the epoch. */
  readonly committedAt: number;
  /** Earliest time at which it may be sent, in milliseconds since the epoch; undefined: at once. */
  readonly notBefore: number | undefined;
  /** When the file that caused the event was uploaded, milliseconds since the epoch; undefined when no file did. */
  readonly fileUploadedAt: number | undefined;
}

/**
 * The oldest events of a shard by server time, which is the same for all entries of one commit. Servers' clocks may
 * differ slightly: the order of a patient's events is that of their sequence, not of the time.
 */
export function eventsQuery(db: Firestore, shard: number, limit: number): Query {
  return oldestFirst(entriesOf(db, 'kafka', shard)).limit(limit);
}

/**
 * The oldest events of all shards, which show the shards that have work. A busy shard may fill the view; the others
 * appear when it is drained.
 */
export function frontEventsQuery(db: Firestore): Query {
  return oldestFirst(entriesOf(db, 'kafka')).limit(SHARDS);
}

function oldestFirst(events: Query): Query {
  return events.orderBy('created_at').orderBy('sequence');
}

/** Which events of a shard to read. */
export interface EventsRange {
  /** Leaves out events committed before this time, in milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Leaves out the events for which it returns true. */
  readonly skip: (event: OutboxEvent) => boolean;
}

/**
 * The oldest events of a shard except those that `skip` leaves out, all from one snapshot of the database: an event of
 * a patient is included only together with all earlier ones in the range.
 * @returns `isLast` is true when no events follow them
 */
export async function readEventsBut(
  db: Firestore,
  shard: number,
  limit: number,
  { since, skip }: EventsRange,
): Promise<{ readonly events: OutboxEvent[]; readonly isLast: boolean }> {
  let query = eventsQuery(db, shard, limit);
  if (since !== undefined) query = query.startAt(Timestamp.fromMillis(since));
  const { docs } = await translated(() => query.get());
  const found = docs.map(toEvent);
  const events = found.filter((event) => !skip(event));
  const isLast = found.length < limit;
  if (isLast || events.length === limit) return { events, isLast };
  // Skipped events fill the page. Further pages must be read from the same snapshot: otherwise an event committed between
  // two reads could fall before the start of the second, and its successor after it.
  return inSnapshot(db, (read) => readOn(query, limit, skip, read));
}

async function readOn(
  query: Query,
  limit: number,
  skip: EventsRange['skip'],
  read: (query: Query) => Promise<QuerySnapshot>,
): Promise<{ readonly events: OutboxEvent[]; readonly isLast: boolean }> {
  const events: OutboxEvent[] = [];
  for (let next = query; ;) {
    const { docs } = await read(next);
    events.push(...docs.map(toEvent).filter((event) => !skip(event)));
    const last = docs.at(-1);
    if (last === undefined || docs.length < limit) return { events, isLast: true };
    if (events.length >= limit) return { events, isLast: false };
    next = query.startAfter(last);
  }
}

/** The event of a document that a query of this module found. */
export function toEvent(doc: QueryDocumentSnapshot): OutboxEvent {
  return {
    ref: doc.ref,
    eventId: doc.id,
    eventType: doc.get('event_type') as string,
    patientId: doc.get('patient_id') as number,
    sequence: doc.get('sequence') as number,
    envelope: doc.get('envelope') as string,
    timestamp: doc.get('timestamp') as string,
    traceparent: (doc.get('traceparent') as string | undefined) ?? undefined,
    committedAt: (doc.get('created_at') as Timestamp).toMillis(),
    notBefore: (doc.get('not_before') as Timestamp | undefined)?.toMillis(),
    fileUploadedAt: (doc.get('file_uploaded_at') as Timestamp | undefined)?.toMillis(),
  };
}
