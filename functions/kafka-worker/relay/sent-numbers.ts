/**
 * Remembers the sequence number of the event that this leader sent last for each patient. From it the relay can tell that
 * no earlier event waits, and can send an event that the listener brought without reading the outbox.
 */
import type { OutboxEvent } from '../../../shared/store/outbox-events.ts';

type Numbered = Pick<OutboxEvent, 'patientId' | 'sequence' | 'eventType'>;

export interface SentNumbers {
  acknowledged(event: Numbered): void;
  /**
   * True when the events follow the last ones sent for their patients without a gap, or begin with number 1. Always false
   * with a `patient.deleted`: numbers before it may be missing.
   */
  areNext(events: readonly Numbered[]): boolean;
}

/** Patients remembered in each shard; for all others the outbox is read. */
const REMEMBERED = 5_000;

export function createSentNumbers(remembered = REMEMBERED): SentNumbers {
  const last = new Map<number, number>();
  return {
    acknowledged({ patientId, sequence }) {
      const latest = Math.max(sequence, last.get(patientId) ?? 0);
      last.delete(patientId);
      last.set(patientId, latest);
      const [oldest] = last.keys();
      if (last.size > remembered && oldest !== undefined) last.delete(oldest);
    },
    areNext(events) {
      if (events.some(({ eventType }) => eventType === 'patient.deleted')) return false;
      return [...Map.groupBy(events, ({ patientId }) => patientId)].every(([patientId, ofPatient]) => {
        const before = last.get(patientId) ?? 0;
        return ofPatient
          .map(({ sequence }) => sequence)
          .toSorted((a, b) => a - b)
          .every((sequence, at) => sequence === before + at + 1);
      });
    },
  };
}
