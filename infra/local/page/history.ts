/** The events on patient-events by patient, checked against the laws of `sequence`. */
import { z } from 'zod';
import {
  createReconciler,
  type LastSequences,
  type Reconciliation,
} from '../../../shared/events/reconcile.ts';
import type { IncomingMessage } from '../../../shared/kafka/ports.ts';
import type { PublishedEvent } from './messages.ts';

export interface TopicHistory {
  /** Forgets everything: the topic is read from its beginning. */
  begin(isComplete: boolean): void;
  add(message: IncomingMessage): void;
  /** A patient's events by number. The payloads of the oldest events of a large topic are not kept and are null. */
  eventsOf(patientId: number): PublishedEvent[];
  /** @param stored read before the topic was @param pending patients with events in the outbox between the two */
  conclude(stored: LastSequences, pending: ReadonlySet<number>): Reconciliation;
}

/** Limit of payloads that are kept: about 10 MB. */
const PAYLOADS = 5_000;

const envelope = z.looseObject({
  eventId: z.string(),
  eventType: z.string(),
  timestamp: z.string(),
  sequence: z.int(),
  payload: z.looseObject({ patient_id: z.int() }),
});

type Kept = { -readonly [K in keyof PublishedEvent]: PublishedEvent[K] };

export function createTopicHistory(): TopicHistory {
  let reconciler = createReconciler(true);
  const patients = new Map<number, Map<string, Kept>>();
  const withPayload: Kept[] = [];
  let cut = 0;

  return {
    begin(isComplete) {
      reconciler = createReconciler(isComplete);
      patients.clear();
      withPayload.length = 0;
      cut = 0;
    },
    add({ value, partition, offset }) {
      const { data: event } = envelope.safeParse(parse(value));
      if (event === undefined) return;
      const { eventId, eventType, timestamp, sequence, payload } = event;
      const patientId = payload.patient_id;
      reconciler.add({ patientId, sequence, eventId, eventType });
      const events = patients.get(patientId) ?? new Map<string, Kept>();
      patients.set(patientId, events);
      const known = events.get(eventId);
      if (known !== undefined) {
        known.times += 1;
        return;
      }
      const kept = {
        sequence,
        eventType,
        eventId,
        timestamp,
        partition,
        offset: String(offset),
        times: 1,
        payload: payload as unknown,
      };
      events.set(eventId, kept);
      withPayload.push(kept);
      if (withPayload.length - cut > PAYLOADS) {
        const oldest = withPayload[cut];
        if (oldest !== undefined) oldest.payload = null;
        cut += 1;
        if (cut === PAYLOADS) {
          withPayload.splice(0, cut);
          cut = 0;
        }
      }
    },
    eventsOf: (patientId) =>
      [...(patients.get(patientId)?.values() ?? [])].sort((a, b) => a.sequence - b.sequence),
    conclude: (stored, pending) => reconciler.conclude(stored, pending),
  };
}

function parse(value: Buffer | null): unknown {
  try {
    return JSON.parse(String(value));
  } catch {
    return undefined;
  }
}
