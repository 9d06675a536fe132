/**
 * The law of the outbox, checked over a whole topic: for each patient, first appearances come in the order of
 * `sequence` without gaps (but directly before `patient.deleted`), repeats are exact, and what Firestore says was
 * the last event is there. Pure: where the events come from is the caller's business.
 */

/** One event as read from the topic, in the topic's order. */
export interface PublishedEvent {
  readonly patientId: number;
  readonly sequence: number;
  readonly eventId: string;
  readonly eventType: string;
}

/** The number of the last event of each living patient, as stored. */
export type LastSequences = ReadonlyMap<number, number>;

export interface Finding {
  readonly patientId: number;
  readonly problem: 'missing' | 'gap' | 'disorder' | 'conflict';
  readonly sequence: number;
}

export interface Reconciliation {
  readonly patients: number;
  readonly events: number;
  /** Exact repeats, which readers drop. */
  readonly repeats: number;
  /** Last events that are still on their way. */
  readonly waiting: number;
  readonly findings: readonly Finding[];
}

export interface Reconciler {
  add(event: PublishedEvent): void;
  /**
   * May be asked again when more has been added.
   * @param stored read before the topic was
   * @param pending patients with events that were in the outbox between the two
   */
  conclude(stored: LastSequences, pending: ReadonlySet<number>): Reconciliation;
}

interface Seen {
  readonly ids: Map<number, string>;
  last: number;
  deleted: boolean;
}

/** @param complete false when the topic no longer holds its beginning: a patient's first event may be any */
export function createReconciler(complete: boolean): Reconciler {
  const seen = new Map<number, Seen>();
  const findings: Finding[] = [];
  let events = 0;
  let repeats = 0;
  const find = (patientId: number, problem: Finding['problem'], sequence: number) =>
    void findings.push({ patientId, problem, sequence });

  return {
    add({ patientId, sequence, eventId, eventType }) {
      events += 1;
      let patient = seen.get(patientId);
      if (patient === undefined) {
        patient = { ids: new Map(), last: complete ? 0 : sequence - 1, deleted: false };
        seen.set(patientId, patient);
      }
      const known = patient.ids.get(sequence);
      if (known !== undefined) {
        if (known === eventId) repeats += 1;
        else find(patientId, 'conflict', sequence);
        return;
      }
      patient.ids.set(sequence, eventId);
      const deletion = eventType === 'patient.deleted';
      if (sequence <= patient.last) find(patientId, 'disorder', sequence);
      else if (sequence > patient.last + 1 && !deletion) find(patientId, 'gap', patient.last + 1);
      patient.last = Math.max(patient.last, sequence);
      patient.deleted ||= deletion;
    },

    conclude(stored, pending) {
      let waiting = 0;
      const missing: Finding[] = [];
      for (const [patientId, last] of stored) {
        const published = seen.get(patientId)?.last;
        if (published !== undefined && published >= last) continue;
        if (published === undefined && !complete && !pending.has(patientId)) continue;
        if (pending.has(patientId)) waiting += 1;
        else missing.push({ patientId, problem: 'missing', sequence: (published ?? 0) + 1 });
      }
      return { patients: stored.size, events, repeats, waiting, findings: [...findings, ...missing] };
    },
  };
}
