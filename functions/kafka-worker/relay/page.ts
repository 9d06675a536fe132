/** Decides which events of an outbox page are sent, in which order, and as which messages. Pure. */
import { cloudEventHeaders } from '../../../shared/events/headers.ts';
import type { OutgoingMessage } from '../../../shared/kafka/ports.ts';
import type { OutboxEvent } from '../../../shared/store/outbox-events.ts';

/** A message together with its outbox entry. */
export interface Letter extends OutgoingMessage {
  readonly entry: OutboxEvent;
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
