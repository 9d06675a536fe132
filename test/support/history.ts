/**
 * Checks of the whole history of a topic (docs/domain.md#events). Every fault run ends with them. They have their own tests.
 */
import { assert } from 'vitest';

/** One event on the topic. The order in the array is the order in the partition. */
export interface HistoryEntry {
  readonly key: string;
  readonly value: string;
}

interface Envelope {
  readonly eventId: string;
  readonly eventType: string;
  readonly sequence: number;
}

/**
 * For each patient (key), events first appear with the numbers 1, 2, 3… in this order. A gap is allowed only directly
 * before `patient.deleted`.
 */
export function assertNoGaps(history: readonly HistoryEntry[]): void {
  for (const [key, entries] of Map.groupBy(history, (entry) => entry.key)) {
    let last = 0;
    const seen = new Set<string>();
    for (const { eventId, eventType, sequence } of entries.map(envelopeOf)) {
      if (seen.has(eventId)) continue;
      seen.add(eventId);
      const follows = eventType === 'patient.deleted' ? sequence > last : sequence === last + 1;
      assert(follows, `patient ${key}: ${eventType} has number ${sequence} after ${last}`);
      last = sequence;
    }
  }
}

/** A repeated event is identical, byte by byte. */
export function assertRepeatsAreExact(history: readonly HistoryEntry[]): void {
  const first = new Map<string, HistoryEntry>();
  for (const entry of history) {
    const { eventId } = envelopeOf(entry);
    const known = first.get(eventId);
    if (known === undefined) first.set(eventId, entry);
    else assert(known.key === entry.key && known.value === entry.value, `event ${eventId} came back changed`);
  }
}

function envelopeOf({ value }: HistoryEntry): Envelope {
  return JSON.parse(value) as Envelope;
}
