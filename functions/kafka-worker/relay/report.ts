/** Logs one line, with metrics, for each published event. */
import type { Log } from '../../../shared/platform/log.ts';
import { measured } from '../../../shared/platform/metrics.ts';
import { continueTrace, withTrace } from '../../../shared/platform/trace.ts';
import type { OutboxEvent } from '../../../shared/store/outbox-events.ts';

/** @param at when the events were acknowledged, in milliseconds since the epoch */
export function reportPublished(log: Log, entries: readonly OutboxEvent[], at: number): void {
  for (const entry of entries) {
    // Clocks differ: an event that seems to be published before its commit counts as published at once.
    const delay = Math.max(0, at - entry.committedAt);
    const sinceUpload =
      entry.fileUploadedAt === undefined ? {} : { file_to_event_ms: Math.max(0, at - entry.fileUploadedAt) };
    withTrace(continueTrace(entry.traceparent), () => {
      log.record('Event published', {
        event_type: entry.eventType,
        patient_id: entry.patientId,
        sequence: entry.sequence,
        event_id: entry.eventId,
        ...measured(
          { events_published: 1, publish_latency_ms: delay, ...sinceUpload },
          { event_type: entry.eventType },
        ),
      });
    });
  }
}
