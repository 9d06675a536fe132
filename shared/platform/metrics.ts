/**
 * Counters and latencies as fields of structured log lines (docs/operations.md). Cloud Logging turns them into metrics as
 * defined in infra/metrics.tf, so there is no agent or exporter to run.
 */
import type { Log, LogFields } from './log.ts';

/** Every metric and its labels. infra/metrics.tf must define the same ones; a test compares the two. */
export const metrics = {
  events_published: { kind: 'counter', labels: ['event_type'] },
  publish_latency_ms: { kind: 'distribution', labels: ['event_type'] },
  events_consumed: { kind: 'counter', labels: ['event_type', 'outcome'] },
  consume_latency_ms: { kind: 'distribution', labels: ['event_type'] },
  dead_letters: { kind: 'counter', labels: ['topic', 'error_code'] },
  offsets_missing: { kind: 'counter', labels: ['topic'] },
  imports: { kind: 'counter', labels: ['outcome'] },
  import_latency_ms: { kind: 'distribution', labels: ['outcome'] },
  /** From a file's arrival in the bucket to Kafka's acknowledgement of its patient's event. */
  file_to_event_ms: { kind: 'distribution', labels: [] },
  mails_sent: { kind: 'counter', labels: ['kind'] },
  errors: { kind: 'counter', labels: ['error_code'] },
  requests: { kind: 'counter', labels: ['route', 'status_class'] },
  request_latency_ms: { kind: 'distribution', labels: ['route'] },

  // What check-health measured in its scheduled run: one sample per run. The alerts compare it with a limit.
  import_oldest_incoming_seconds: { kind: 'distribution', labels: [] },
  import_failure_percent: { kind: 'distribution', labels: [] },
  outbox_oldest_seconds: { kind: 'distribution', labels: [] },
  outbox_entries: { kind: 'distribution', labels: [] },
  consumer_lag: { kind: 'distribution', labels: [] },
  dead_letters_waiting: { kind: 'distribution', labels: [] },
  standing_partitions: { kind: 'distribution', labels: [] },
  unreadable_batches: { kind: 'distribution', labels: [] },
  worker_status_age_seconds: { kind: 'distribution', labels: [] },
  database_fenced: { kind: 'distribution', labels: [] },
  storage_used_percent: { kind: 'distribution', labels: [] },
} as const satisfies Record<string, { kind: 'counter' | 'distribution'; labels: readonly string[] }>;

type MetricName = keyof typeof metrics;
type LabelOf<M extends MetricName> = (typeof metrics)[M]['labels'][number];

/**
 * Log fields with the values of metrics; the line may have other fields too. A value is added to a counter, or is one sample
 * of a distribution. Its unit is in the metric's name. Write the line with `log.record`, which ignores the log level.
 * @param labels the labels of all these metrics
 */
export function measured<V extends Partial<Record<MetricName, number>>>(
  values: V,
  labels: Record<LabelOf<keyof V & MetricName>, string>,
): Pick<LogFields, 'metrics' | 'labels'> {
  return { metrics: values, labels };
}

/** Writes a separate line for one value. */
export function measure<M extends MetricName>(
  log: Log,
  metric: M,
  labels: Record<LabelOf<M>, string>,
  value = 1,
): void {
  const fields: LogFields = { metrics: { [metric]: value }, labels };
  log.record('metric', fields);
}
