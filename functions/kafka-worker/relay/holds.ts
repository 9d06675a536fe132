/**
 * Events that a shard keeps back for a while. An event that is kept back keeps back all later ones of its patient;
 * those of other patients pass it.
 */
import type { OutboxEvent } from '../../../shared/store/outbox-events.ts';

type Place = Pick<OutboxEvent, 'patientId' | 'sequence'>;

export interface Holds {
  /** Keeps the event back for `forMs` milliseconds, at least until the next call of `expire`. */
  add(event: Place, forMs: number): void;
  has(event: Place): boolean;
  /** True when nothing is kept back. */
  isEmpty(): boolean;
  /** Lets go of the events whose time is over. */
  expire(): void;
}

export function createHolds(now: () => number = () => performance.now()): Holds {
  const byPatient = new Map<number, { readonly sequence: number; readonly until: number }>();
  return {
    add({ patientId, sequence }, forMs) {
      const earlier = byPatient.get(patientId);
      if (earlier !== undefined && earlier.sequence <= sequence) return;
      byPatient.set(patientId, { sequence, until: now() + forMs });
    },
    has: ({ patientId, sequence }) => sequence >= (byPatient.get(patientId)?.sequence ?? Infinity),
    isEmpty: () => byPatient.size === 0,
    expire() {
      for (const [patientId, { until }] of byPatient) if (until <= now()) byPatient.delete(patientId);
    },
  };
}
