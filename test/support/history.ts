/**
 * Laws over the whole history of a topic (docs/domain.md#events): checked after each fault run, and tested themselves.
 */
import { assert } from 'vitest';

/** One event as it stood on the topic. Its place in the array is its place in the partition. */
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
 * For each patient (key), first appearances are numbered 1, 2, 3… in this order. Only an erasure may swallow
 * numbers, directly before `patient.deleted`.
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

/** An event that appears again is the same, byte by byte. */
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
