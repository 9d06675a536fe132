/**
 * Kafka headers of an event: the CloudEvents 1.0 binary binding
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md) and `traceparent`.
 */
import { PRODUCER } from './envelope.ts';

/** The headers of one event; `traceparent` only when there is one. */
export function cloudEventHeaders(event: {
  readonly eventId: string;
  readonly eventType: string;
  readonly timestamp: string;
  readonly traceparent?: string | undefined;
}): Record<string, string> {
  return {
    ce_specversion: '1.0',
    ce_id: event.eventId,
    ce_type: event.eventType,
    ce_source: `/${PRODUCER}`,
    ce_time: event.timestamp,
    'content-type': 'application/json',
    ...(event.traceparent === undefined ? {} : { traceparent: event.traceparent }),
  };
}
