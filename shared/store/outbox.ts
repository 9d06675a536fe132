/**
 * The outbox: events and mails to send, a part of the write that causes them
 * (docs/architecture.md#the-outbox-and-the-relay). The id of an event's entry is the event id. outbox-events.ts and
 * outbox-mails.ts read the entries for the relay.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  FieldValue,
  Timestamp,
  type CollectionReference,
  type Firestore,
  type Query,
} from '@google-cloud/firestore';
import { writeEnvelope } from '../events/envelope.ts';
import type { Consequences, Mail } from '../patient/consequences.ts';
import type { PatientId } from '../patient/schema.ts';
import type { Instant } from '../platform/clock.ts';
import { currentTrace, traceparentOf } from '../platform/trace.ts';
import type { Writer } from './firestore.ts';

/** Number of shards. All events of a patient are in the same one. Change the number only while the outbox is empty. */
export const SHARDS = 16;
const everyShard = Array.from({ length: SHARDS }, (_, shard) => shard);

/** The shard of a key: stable, and spread so that ids from one block do not share a shard. */
function shardOf(key: PatientId | string): number {
  return createHash('sha256').update(String(key)).digest().readUInt16BE() % SHARDS;
}

/**
 * Writes the events and mails that one change causes.
 * @param lastSequence the patient's number before the change
 * @param more when they may be sent (undefined: at once), and for a registration when its file was uploaded, from which
 *   the relay measures the latency
 * @returns the patient's number after the change, to be stored in the same write
 */
export function addConsequences(
  db: Firestore,
  writer: Writer,
  patientId: PatientId,
  { events, mails }: Consequences,
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
  for (const mail of mails) addMail(db, writer, mail, patientId);
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

/** All entries of a patient, events and mails. */
export function patientEntriesQuery(db: Firestore, patientId: PatientId): Query {
  return outboxDocs(db).where('patient_id', '==', patientId);
}
