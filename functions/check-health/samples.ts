/** Writes the figures of a scheduled run as metrics, one sample each. The alerts compare them with their limits. */
import type { Log } from '../../shared/platform/log.ts';
import { measured } from '../../shared/platform/metrics.ts';
import type { Facts } from './facts.ts';
import { valueOf } from './reading.ts';
import { FAILING } from './checks/import.ts';
import type { Report } from './verdict.ts';

/** Writes no sample for a figure that is unknown. */
export function reportSamples(log: Log, facts: Facts, { checks }: Report): void {
  const { kafka, storage, outbox } = checks;
  const samples = {
    import_oldest_incoming_seconds: checks.import.oldest_incoming_seconds,
    import_failure_percent: enoughFiles(checks.import) ? percent(checks.import.failure_rate) : null,
    outbox_entries: outbox.entries,
    outbox_oldest_seconds: outbox.oldest_seconds,
    consumer_lag: kafka.consumer_lag,
    dead_letters_waiting: kafka.dead_letters,
    standing_partitions: kafka.standing_partitions,
    unreadable_batches: kafka.unreadable_batches,
    worker_status_age_seconds: kafka.reported_seconds_ago ?? neverReported(facts),
    database_fenced: checks.restore.fenced === null ? null : Number(checks.restore.fenced),
    storage_used_percent: percent(storage.bytes === null ? null : storage.bytes / storage.quota_bytes),
  };
  const known = Object.entries(samples).filter(([, value]) => value !== null);
  log.record(
    'Samples of the scheduled run',
    measured(Object.fromEntries(known) as Record<keyof typeof samples, number>, {}),
  );
}

/** Whether there are enough files for a meaningful rate. One failed file of two is not; staff get a mail about it. */
function enoughFiles({ successes_24h, failures_24h }: Report['checks']['import']): boolean {
  return (successes_24h ?? 0) + (failures_24h ?? 0) >= FAILING.ofAtLeast;
}

function percent(share: number | null): number | null {
  return share === null ? null : Math.round(share * 1000) / 10;
}

/** A very large age when no worker has ever reported. Without a sample the alert would not fire. */
function neverReported({ worker, now }: Facts): number | null {
  return 'value' in worker && valueOf(worker) === undefined ? Math.floor(now.epochMilliseconds / 1000) : null;
}
