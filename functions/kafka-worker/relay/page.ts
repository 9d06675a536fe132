/** A page of the outbox: which of its events go out, in which order, and as which messages. Pure. */
import { cloudEventHeaders } from '../../../shared/events/headers.ts';
import type { OutgoingMessage } from '../../../shared/kafka/ports.ts';
import type { OutboxEvent } from '../../../shared/store/outbox-events.ts';

/** An entry and its message in one. */
export interface Letter extends OutgoingMessage {
  readonly entry: OutboxEvent;
}

/** More than the clocks of two servers differ. */
const MOMENT_MS = 1_000;

/**
 * A full page may end between two events of a patient whose times bear the other order, so its last moment is left to
 * the next page. A page that is nothing but one moment goes out as it is: otherwise a large commit never would.
 */
export function withoutLastMoment(page: readonly OutboxEvent[]): readonly OutboxEvent[] {
  const last = page.at(-1)?.committedAt ?? 0;
  const settled = page.filter(({ committedAt }) => committedAt < last - MOMENT_MS);
  return settled.length === 0 ? page : settled;
}

/**
 * Within a page a patient's events go by number: two commits in the same millisecond, or by servers whose clocks
 * differ by one, may bear times in the other order.
 */
export function inSequence(page: readonly OutboxEvent[]): OutboxEvent[] {
  return [...Map.groupBy(page, ({ patientId }) => patientId).values()].flatMap((entries) =>
    entries.toSorted((a, b) => a.sequence - b.sequence),
  );
}

/** A damaged entry would go out as something else, such as a tombstone, or fail while it is encoded. */
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
