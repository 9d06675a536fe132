/**
 * The outbox: what must leave the service, written in the transaction that caused it
 * (docs/architecture.md#the-outbox-and-the-relay). An entry's id is its event's id. Who sends the entries is the
 * relay's business; here is how they are written and found.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  FieldValue,
  Timestamp,
  type CollectionReference,
  type DocumentReference,
  type Firestore,
  type Query,
  type QueryDocumentSnapshot,
  type QuerySnapshot,
} from '@google-cloud/firestore';
import { writeEnvelope } from '../events/envelope.ts';
import type { PatientEvent } from '../patient/change.ts';
import type { PatientId } from '../patient/schema.ts';
import type { Instant } from '../platform/clock.ts';
import { currentTrace, traceparentOf } from '../platform/trace.ts';
import { inSnapshot, isPreconditionLost, translated, type Writer } from './firestore.ts';

export const SHARDS = 16;
const everyShard = Array.from({ length: SHARDS }, (_, shard) => shard);

/** An event that waits for Kafka. */
export interface OutboxEvent {
  /** Where it stands in the order of its shard. */
  readonly place: QueryDocumentSnapshot;
  readonly eventId: string;
  readonly eventType: string;
  readonly patientId: number;
  readonly sequence: number;
  /** The message's value, in the contract's order of keys, which a Firestore map would forget. */
  readonly envelope: string;
  readonly timestamp: string;
  readonly traceparent: string | undefined;
  /** Commit time, milliseconds since the epoch. */
  readonly committedAt: number;
  /** It must not be sent earlier, in milliseconds since the epoch; undefined: at once. */
  readonly notBefore: number | undefined;
  /** When the file that caused the event was uploaded, milliseconds since the epoch; undefined when no file did. */
  readonly fileUploadedAt: number | undefined;
}

/** A request that waits for the communication service. */
export interface Mail {
  readonly path: '/api/emails' | '/api/system-messages';
  readonly body: Readonly<Record<string, string | number | boolean>>;
  /** The cause's id: the receiver answers the same key with the same mail. */
  readonly idempotencyKey: string;
}

export interface OutboxMail extends Mail {
  readonly ref: DocumentReference;
  /** Milliseconds since the epoch; of a claimed mail, when the claim expires. */
  readonly dueAt: number;
  /** How often it was claimed. */
  readonly attempts: number;
  /** Changes with each claim, so that a claim is won once. */
  readonly updateTime: Timestamp;
  readonly traceparent: string | undefined;
}

/** Stable, and spread: ids from one block must not share a shard. */
function shardOf(key: PatientId | string): number {
  return createHash('sha256').update(String(key)).digest().readUInt16BE() % SHARDS;
}

/**
 * Writes the events of one change.
 * @param lastSequence the patient's number before the change
 * @param more when they may be sent (undefined: at once), and for a registration when its file arrived, from
 *   which the relay measures
 * @returns the patient's number after it, to be stored in the same transaction
 */
export function addEvents(
  db: Firestore,
  writer: Writer,
  patientId: PatientId,
  events: readonly PatientEvent[],
  lastSequence: number,
  now: Instant,
  {
    notBefore,
    fileUploadedAt,
  }: { notBefore?: Timestamp | undefined; fileUploadedAt?: Instant | undefined } = {},
): number {
  let sequence = lastSequence;
  for (const event of events) {
    sequence += 1;
    const envelope = writeEnvelope(event, { eventId: randomUUID(), sequence, at: now });
    writer.create(outboxDocs(db).doc(envelope.eventId), {
      kind: 'kafka',
      shard: shardOf(patientId),
      patient_id: patientId,
      sequence,
      event_type: event.type,
      timestamp: envelope.timestamp,
      envelope: JSON.stringify(envelope),
      traceparent: traceparent(),
      file_uploaded_at: fileUploadedAt && Timestamp.fromMillis(fileUploadedAt.epochMilliseconds),
      created_at: FieldValue.serverTimestamp(),
      not_before: notBefore,
    });
  }
  return sequence;
}

/** Writes a mail; a second one for the same cause fails the whole write with ALREADY_EXISTS. */
export function addMail(db: Firestore, writer: Writer, mail: Mail, patientId: PatientId | null): void {
  writer.create(outboxDocs(db).doc(mail.idempotencyKey), {
    kind: 'mail',
    shard: shardOf(mail.idempotencyKey),
    patient_id: patientId,
    path: mail.path,
    body: JSON.stringify(mail.body),
    attempts: 0,
    traceparent: traceparent(),
    created_at: FieldValue.serverTimestamp(),
    due_at: FieldValue.serverTimestamp(),
  });
}

function traceparent(): string | undefined {
  const trace = currentTrace();
  return trace === undefined ? undefined : traceparentOf(trace);
}

/** The collection `outbox`. */
export function outboxDocs(db: Firestore): CollectionReference {
  return db.collection('outbox');
}

/** The entries of a kind, in one shard or in all: every query leads with the shard, as its index does. */
export function entriesOf(db: Firestore, kind: 'kafka' | 'mail', shard?: number): Query {
  const entries = outboxDocs(db);
  const sharded =
    shard === undefined ? entries.where('shard', 'in', everyShard) : entries.where('shard', '==', shard);
  return sharded.where('kind', '==', kind);
}

/**
 * The oldest events of a shard, by server time, which the entries of one commit share. Servers' clocks may differ a
 * little: a patient's number, not the time, says what was first.
 */
export function eventsQuery(db: Firestore, shard: number, limit: number): Query {
  return oldestFirst(entriesOf(db, 'kafka', shard)).limit(limit);
}

/**
 * The oldest events of all shards: which shards have work. A busy shard may fill the view; the others come when it is
 * drained.
 */
export function frontEventsQuery(db: Firestore): Query {
  return oldestFirst(entriesOf(db, 'kafka')).limit(SHARDS);
}

function oldestFirst(events: Query): Query {
  return events.orderBy('created_at').orderBy('sequence');
}

/** The mails that are, or will be, due first. */
export function mailsQuery(db: Firestore, limit: number): Query {
  return entriesOf(db, 'mail').orderBy('due_at').limit(limit);
}

export function patientEntriesQuery(db: Firestore, patientId: PatientId): Query {
  return outboxDocs(db).where('patient_id', '==', patientId);
}

export interface EventsRange {
  /** Leaves out what was committed earlier, in milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Leaves out the events for which it is true. */
  readonly skip: (event: OutboxEvent) => boolean;
}

/**
 * The oldest events of a shard but those that `skip` leaves out, all as they stood at one moment: an event of a patient
 * is among them only together with all earlier ones in the range.
 * @returns `isLast` is true when nothing stands behind them
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
  // What is skipped fills the page. Looking further needs one moment for all pages: an event may be committed between two
  // reads, before the second one's beginning, and its successor behind it.
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

function toEvent(doc: QueryDocumentSnapshot): OutboxEvent {
  return {
    place: doc,
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

/** The mails that are due first, whether they are by now or not. */
export async function readMails(db: Firestore, limit: number): Promise<OutboxMail[]> {
  const page = await translated(() => mailsQuery(db, limit).get());
  return page.docs.map((doc) => ({
    ref: doc.ref,
    idempotencyKey: doc.id,
    path: doc.get('path') as Mail['path'],
    body: JSON.parse(doc.get('body') as string) as Mail['body'],
    dueAt: (doc.get('due_at') as Timestamp).toMillis(),
    attempts: doc.get('attempts') as number,
    updateTime: doc.updateTime,
    traceparent: (doc.get('traceparent') as string | undefined) ?? undefined,
  }));
}

/**
 * Claims a mail before it is sent: nobody else sees it as due until the claim expires, which it does when the
 * claimant dies.
 * @returns the mail to go on with, or undefined when another worker or an erasure was faster
 */
export function claimMail(mail: OutboxMail, expiresAt: Instant): Promise<OutboxMail | undefined> {
  const due_at = Timestamp.fromMillis(expiresAt.epochMilliseconds);
  return update(mail, { due_at, claimed_until: due_at, attempts: mail.attempts + 1 });
}

/**
 * True while nobody has taken a claimed mail away: not another worker, and not an erasure. @throws ServiceError
 * `store.*`
 */
export async function isStillClaimed(mail: OutboxMail): Promise<boolean> {
  const { updateTime } = await translated(() => mail.ref.get());
  return updateTime?.isEqual(mail.updateTime) === true;
}

/** Until when a mail may be on its way to the receiver; undefined when nobody is sending it. */
export function claimedUntil(entry: QueryDocumentSnapshot): Timestamp | undefined {
  return (entry.get('claimed_until') as Timestamp | null | undefined) ?? undefined;
}

/** Puts a claimed mail that was not accepted off until `dueAt`; one that an erasure took meanwhile is no fault. */
export async function returnMail(mail: OutboxMail, dueAt: Instant): Promise<void> {
  await update(mail, { due_at: Timestamp.fromMillis(dueAt.epochMilliseconds), claimed_until: null });
}

async function update(
  mail: OutboxMail,
  change: {
    readonly due_at: Timestamp;
    readonly claimed_until: Timestamp | null;
    readonly attempts?: number;
  },
): Promise<OutboxMail | undefined> {
  try {
    const { writeTime } = await translated(() =>
      mail.ref.update({ ...change }, { lastUpdateTime: mail.updateTime }),
    );
    const { due_at, attempts = mail.attempts } = change;
    return { ...mail, dueAt: due_at.toMillis(), attempts, updateTime: writeTime };
  } catch (error) {
    if (isPreconditionLost(error)) return undefined;
    throw error;
  }
}
