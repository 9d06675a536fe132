/** What is said of published events: a line for each, and the metrics. */
import type { Log } from '../../../shared/platform/log.ts';
import { measure } from '../../../shared/platform/metrics.ts';
import { continueTrace, withTrace } from '../../../shared/platform/trace.ts';
import type { OutboxEvent } from '../../../shared/store/outbox-events.ts';

/** @param at when the events were acknowledged, in milliseconds since the epoch */
export function reportPublished(log: Log, entries: readonly OutboxEvent[], at: number): void {
  for (const entry of entries) {
    // Clocks differ: an event that seems to be published before its commit was published at once.
    const delay = Math.max(0, at - entry.committedAt);
    withTrace(continueTrace(entry.traceparent), () => {
      log.info('event published', {
        event_type: entry.eventType,
        patient_id: entry.patientId,
        sequence: entry.sequence,
        event_id: entry.eventId,
        delay_ms: delay,
      });
      measure(log, 'publish_latency_ms', { event_type: entry.eventType }, delay);
      if (entry.fileUploadedAt !== undefined)
        measure(log, 'file_to_event_ms', {}, Math.max(0, at - entry.fileUploadedAt));
    });
  }
  for (const [event_type, { length }] of Map.groupBy(entries, ({ eventType }) => eventType)) {
    measure(log, 'events_published', { event_type }, length);
  }
}
