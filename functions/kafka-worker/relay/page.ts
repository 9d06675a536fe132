/** Decides how large a page of the outbox is, and which of its events are sent, in which order, as which messages. Pure. */
import { cloudEventHeaders } from '../../../shared/events/headers.ts';
import type { OutgoingMessage } from '../../../shared/kafka/ports.ts';
import type { OutboxEvent } from '../../../shared/store/outbox-events.ts';

/** A message together with its outbox entry. */
export interface Letter extends OutgoingMessage {
  readonly entry: OutboxEvent;
}

/** Events of the first page of a drain, when it is not known how many wait and how large they are. */
export const FIRST_LIMIT = 500;
const MIN_LIMIT = 20;
const MAX_LIMIT = 2_000;
/** Text of a further page. Each of the 16 shards may hold one, in a worker with 1 GiB. */
const PAGE_CHARACTERS = 2 * 1024 ** 2;

/**
 * How many events to read after a full page: as many as fit into the memory of a page if they are as large as these. A
 * larger page costs fewer queries, and less of it is left to the next one (see {@link withoutLastMoment}).
 */
export function limitAfter(page: readonly OutboxEvent[]): number {
  const characters = page.filter(isWhole).reduce((sum, { envelope }) => sum + envelope.length, 0);
  const fitting = Math.floor((PAGE_CHARACTERS * page.length) / characters);
  return Math.min(MAX_LIMIT, Math.max(MIN_LIMIT, fitting));
}

/** The clocks of two servers differ by less than this. */
const MOMENT_MS = 1_000;

/**
 * A full page may end between two events of a patient whose timestamps are in the wrong order, so the events of its last
 * second are left to the next page. A page that spans no more than one second is sent whole: otherwise a large commit
 * would never be sent.
 */
export function withoutLastMoment(page: readonly OutboxEvent[]): readonly OutboxEvent[] {
  const last = page.at(-1)?.committedAt ?? 0;
  const settled = page.filter(({ committedAt }) => committedAt < last - MOMENT_MS);
  return settled.length === 0 ? page : settled;
}

/**
 * Orders a patient's events in a page by sequence number: two commits in the same millisecond, or on servers whose clocks
 * differ slightly, may have timestamps in the wrong order.
 */
export function inSequence(page: readonly OutboxEvent[]): OutboxEvent[] {
  return [...Map.groupBy(page, ({ patientId }) => patientId).values()].flatMap((entries) =>
    entries.toSorted((a, b) => a.sequence - b.sequence),
  );
}

/** A damaged entry would be sent as something else, such as a tombstone, or fail while it is encoded. */
export function isWhole({ envelope, eventType, timestamp, sequence }: OutboxEvent): boolean {
  return (
    [envelope, eventType, timestamp].every((text) => typeof text === 'string') && Number.isInteger(sequence)
  );
}

/** The message of an event, with its CloudEvents headers. */
export function letterOf(entry: OutboxEvent, topic: string): Letter {
  return {
    topic,
    key: String(entry.patientId),
    value: entry.envelope,
    headers: cloudEventHeaders(entry),
    entry,
  };
}
