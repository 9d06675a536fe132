/**
 * The part that all effects of consumed events share: it reads the envelope, selects by type, and counts and logs the
 * outcome by ids. The modules beside this one define what each event does.
 */
import { readEnvelope, type ForeignEnvelope } from '../../../shared/events/envelope.ts';
import type { IncomingMessage } from '../../../shared/kafka/ports.ts';
import type { Clock } from '../../../shared/platform/clock.ts';
import type { Log } from '../../../shared/platform/log.ts';
import { measure, measured } from '../../../shared/platform/metrics.ts';

export interface Effect {
  /** Event types that this effect handles; all other types of the topic are ignored. */
  readonly types: readonly string[];
  /** Stores the effect; a repeat of the event must change nothing. @throws ServiceError, see errors.ts for its fate */
  apply(event: ForeignEnvelope): Promise<Applied>;
}

export interface Applied {
  readonly outcome: 'applied' | 'duplicate' | 'outdated' | 'no_patient' | 'unknown_patient';
  readonly patientId?: number;
  readonly therapistId?: number;
  /** Number of patients changed, for effects that can change more than one. */
  readonly count?: number;
}

/** Makes the handler of a topic. @throws ServiceError `event.*` when the message can never be applied */
export function handlerOf(
  effect: Effect,
  clock: Clock,
  log: Log,
): (message: IncomingMessage) => Promise<void> {
  return async (message) => {
    if (message.value === null) {
      // A tombstone says that a key no longer has a value. It is not an event.
      measure(log, 'events_consumed', { event_type: 'none', outcome: 'tombstone' });
      return;
    }
    const event = readEnvelope(message.value, clock());
    if (!effect.types.includes(event.eventType)) {
      // All unknown types share one label: other services could create any number of them.
      measure(log, 'events_consumed', { event_type: 'other', outcome: 'ignored' });
      return;
    }
    const { outcome, patientId, therapistId, count } = await effect.apply(event);
    log.record('Event consumed', {
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
