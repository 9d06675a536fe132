/**
 * Which event of each patient this leader sent last, so that it can tell from an event alone that no earlier one waits. Then
 * what a listener brought can be sent as it is; whatever else wakes the relay, it reads the outbox.
 */
import type { OutboxEvent } from '../../../shared/store/outbox-events.ts';

type Numbered = Pick<OutboxEvent, 'patientId' | 'sequence' | 'eventType'>;

export interface SentNumbers {
  acknowledged(event: Numbered): void;
  /**
   * True when the events are the next ones of their patients, without a gap: a patient's first, or those after the one sent
   * last. Never for `patient.deleted`, before which numbers may be missing.
   */
  areNext(events: readonly Numbered[]): boolean;
}

/** Patients that are remembered in each shard; of others the outbox is read. */
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
