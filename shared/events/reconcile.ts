/**
 * Checks the guarantees of the outbox over a whole topic. For each patient: events first appear in the order of
 * `sequence` without gaps (except directly before `patient.deleted`), repeats are exact, and the last event that
 * Firestore knows is there. Pure: the caller reads the events.
 */

/** One event as read from the topic, in the topic's order. */
export interface PublishedEvent {
  readonly patientId: number;
  readonly sequence: number;
  readonly eventId: string;
  readonly eventType: string;
}

/** The stored number of each living patient's last event, by patient id. */
export type LastSequences = ReadonlyMap<number, number>;

/** A broken guarantee; `sequence` is the event that is missing, late or contradictory. */
export interface Finding {
  readonly patientId: number;
  readonly problem: 'missing' | 'gap' | 'disorder' | 'conflict';
  readonly sequence: number;
}

/** The result of a check: counts of patients and events, and the broken guarantees. */
export interface Reconciliation {
  readonly patients: number;
  readonly events: number;
  /** Exact repeats, which readers ignore. */
  readonly repeats: number;
  /** Patients whose last event is still in the outbox. */
  readonly waiting: number;
  readonly findings: readonly Finding[];
}

/** Collects the events of a topic and checks them. */
export interface Reconciler {
  add(event: PublishedEvent): void;
  /**
   * Checks all events added so far. May be called again after more were added.
   * @param stored read before the topic
   * @param pending ids of patients with events in the outbox, read between the two
   */
  conclude(stored: LastSequences, pending: ReadonlySet<number>): Reconciliation;
}

interface Seen {
  /** Fingerprints of the event ids, by `sequence` above the first: 8 bytes for each event of the topic. */
  readonly ids: number[];
  readonly first: number;
  last: number;
  deleted: boolean;
}

/**
 * Creates a reconciler for one topic.
 * @param complete false when the topic no longer holds its beginning; then a patient's first event may have any number
 */
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
        patient = { ids: [], first: sequence, last: complete ? 0 : sequence - 1, deleted: false };
        seen.set(patientId, patient);
      }
      const fingerprint = fingerprintOf(eventId);
      const place = sequence - patient.first;
      const known = patient.ids[place];
      if (known !== undefined) {
        if (known === fingerprint) repeats += 1;
        else find(patientId, 'conflict', sequence);
        return;
      }
      patient.ids[place] = fingerprint;
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

/**
 * 53 bits of an event id, by cyrb53 (https://github.com/bryc/code/blob/master/jshash/experimental/cyrb53.js). Two ids of the
 * same number pass for a repeat if they share them, which is one chance in 9 * 10^15.
 */
function fingerprintOf(eventId: string): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let at = 0; at < eventId.length; at += 1) {
    const unit = eventId.charCodeAt(at);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 2 ** 32 * (b & 0x1fffff) + (a >>> 0);
}
