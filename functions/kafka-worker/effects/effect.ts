/**
 * What all effects of consumed events have in common: the envelope is read, the type chosen, the outcome
 * counted and logged by ids. What an event means stands in the modules beside this one.
 */
import { readEnvelope, type ForeignEnvelope } from '../../../shared/events/envelope.ts';
import type { IncomingMessage } from '../../../shared/kafka/ports.ts';
import type { Clock } from '../../../shared/platform/clock.ts';
import type { Log } from '../../../shared/platform/log.ts';
import { measure, measured } from '../../../shared/platform/metrics.ts';

export interface Effect {
  /** Types that are acted on; all others of the topic are somebody else's. */
  readonly types: readonly string[];
  /** Stores the effect; a repeat of the event must change nothing. @throws ServiceError, see errors.ts for its fate */
  apply(event: ForeignEnvelope): Promise<Applied>;
}

export interface Applied {
  readonly outcome: 'applied' | 'duplicate' | 'outdated' | 'no_patient' | 'unknown_patient';
  readonly patientId?: number;
  readonly therapistId?: number;
  /** Patients changed, where it can be more than one. */
  readonly count?: number;
}

/** Makes the handler of a topic. @throws ServiceError `event.*` for what can never be applied */
export function handlerOf(
  effect: Effect,
  clock: Clock,
  log: Log,
): (message: IncomingMessage) => Promise<void> {
  return async (message) => {
    if (message.value === null) {
      // A tombstone: it says that a key has no value any more, and is nobody's event.
      measure(log, 'events_consumed', { event_type: 'none', outcome: 'tombstone' });
      return;
    }
    const event = readEnvelope(message.value, clock());
    if (!effect.types.includes(event.eventType)) {
      // Foreign types share one label: their number is not ours to bound.
      measure(log, 'events_consumed', { event_type: 'other', outcome: 'ignored' });
      return;
    }
    const { outcome, patientId, therapistId, count } = await effect.apply(event);
    log.record('A consumed event is done with', {
      event_id: event.eventId,
      event_type: event.eventType,
      outcome,
      ...(patientId === undefined ? {} : { patient_id: patientId }),
      ...(therapistId === undefined ? {} : { therapist_id: therapistId }),
      ...(count === undefined ? {} : { count }),
      ...measured(
        { events_consumed: 1, consume_latency_ms: Math.max(0, Date.now() - message.timestamp) },
        { event_type: event.eventType, outcome },
      ),
    });
  };
}
