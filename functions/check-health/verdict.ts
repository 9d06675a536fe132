/**
 * The verdict on the service's health (docs/domain.md#health): facts in, a status with its reasons in words out. Pure.
 * A figure that could not be found out is null, one that has nothing to count is zero.
 */
import {
  parseTimestamp,
  utcTimestamp,
  type Instant,
  type UtcTimestamp,
} from '../../shared/platform/clock.ts';
import { MAX_FILE_BYTES } from '../../shared/registration/registration-file.ts';
import { fenceFaults } from '../../shared/store/fence.ts';
import type { GroupStatus, WorkerStatus } from '../../shared/store/worker-status.ts';
import type { Facts } from './facts.ts';
import { faultOf, valueOf } from './reading.ts';

/** From best to worst. */
const STATUSES = ['healthy', 'degraded', 'unhealthy'] as const;
export type Status = (typeof STATUSES)[number];

/** What configuration decides of it. */
export interface Limits {
  readonly IMPORT_STUCK_AFTER_SECONDS: number;
  readonly IMPORT_STORAGE_QUOTA_BYTES: number;
}

export type Check<Figures> = Figures & { readonly status: Status; readonly reasons: readonly string[] };

export interface Report {
  readonly status: Status;
  readonly checked_at: UtcTimestamp;
  readonly checks: {
    readonly import: Check<{
      readonly last_success: UtcTimestamp | null;
      readonly last_failure: UtcTimestamp | null;
      readonly successes_24h: number | null;
      readonly failures_24h: number | null;
      /** From 0 to 1. */
      readonly failure_rate: number | null;
      readonly incoming_files: number | null;
      readonly oldest_incoming_seconds: number | null;
    }>;
    readonly outbox: Check<{ readonly entries: number | null; readonly oldest_seconds: number | null }>;
    readonly kafka: Check<{
      readonly reachable: boolean | null;
      /** Messages of all groups that are not applied yet. */
      readonly consumer_lag: number | null;
      readonly groups: readonly GroupStatus[];
      readonly dead_letters: number | null;
      /** Partitions in which messages wait and the committed offset has stood still for 2 minutes. */
      readonly standing_partitions: number | null;
      /** Batches that no worker can read. */
      readonly unreadable_batches: number | null;
      /** Age of the worker's status document. */
      readonly reported_seconds_ago: number | null;
    }>;
    readonly storage: Check<{
      readonly bytes: number | null;
      readonly quota_bytes: number;
      readonly free_disk_bytes?: number | null;
    }>;
    readonly firestore: Check<{ readonly reachable: boolean }>;
    readonly restore: Check<{
      /** True: the database is a restored copy that no operator has released yet. */
      readonly fenced: boolean | null;
    }>;
    /** Null where no rule is on. */
    readonly retention: Check<{
      readonly erased_last_run: number | null;
      readonly due: number | null;
      /** Why nobody is erased although some may be due. */
      readonly paused: string | null;
    }>;
    readonly scheduled_run: Check<{ readonly last_run: UtcTimestamp | null }>;
  };
}

/** The rates above which failed files count, and how many files it takes for the higher one. */
export const FAILING = { degraded: 0.2, unhealthy: 0.5, ofAtLeast: 5 };
/** The relay takes milliseconds: an entry this old is not being sent. */
const OUTBOX_LATE_SECONDS = 30;
/** The worker reports every 10 s. */
const WORKER_SILENT_SECONDS = 30;
/** Messages that may wait; the alert on consumer lag fires above it too. */
export const LAG = 1000;
/** How long a partition's committed offset may stand still while messages wait. */
const STANDING_SECONDS = 120;
/** Share of the quota; the alert on storage fires above it too. */
export const FILLING = 0.8;
/** Cloud Scheduler calls every minute. */
const RUN_OVERDUE_SECONDS = 300;
/** Room for a hundred of the largest registration files. */
const LITTLE_DISK_BYTES = 100 * MAX_FILE_BYTES;

export function judge(facts: Facts, limits: Limits): Report {
  const checks = {
    import: judgeImport(facts, limits),
    outbox: judgeOutbox(facts),
    kafka: judgeKafka(facts),
    storage: judgeStorage(facts, limits),
    firestore: judgeFirestore(facts),
    restore: judgeRestore(facts),
    retention: judgeRetention(facts),
    scheduled_run: judgeScheduledRun(facts),
  };
  return {
    status: worstOf(Object.values(checks).map((check) => check.status)),
    checked_at: utcTimestamp(facts.now),
    checks,
  };
}

function judgeImport({ incoming, imports }: Facts, limits: Limits): Report['checks']['import'] {
  const promised = limits.IMPORT_STUCK_AFTER_SECONDS;
  const waiting = valueOf(incoming);
  const figures = valueOf(imports);
  const files = (figures?.successes_24h ?? 0) + (figures?.failures_24h ?? 0);
  const rate = figures && (files === 0 ? 0 : figures.failures_24h / files);
  const failing = `${figures?.failures_24h} of ${files} files failed in the last 24 h`;
  return verdict(
    {
      last_success: figures?.last_success ?? null,
      last_failure: figures?.last_failure ?? null,
      successes_24h: figures?.successes_24h ?? null,
      failures_24h: figures?.failures_24h ?? null,
      failure_rate: rate ?? null,
      incoming_files: waiting?.files ?? null,
      oldest_incoming_seconds: waiting?.oldest_seconds ?? null,
    },
    [
      unanswered('unhealthy', 'incoming/ could not be looked into', faultOf(incoming)),
      unanswered('degraded', 'the import records could not be read', faultOf(imports)),
      waiting !== undefined && waiting.oldest_seconds > promised
        ? unhealthy(
            `a file has waited in incoming/ for ${waiting.oldest_seconds} s, ${promised} s are promised`,
          )
        : undefined,
      rate === undefined || rate <= FAILING.degraded
        ? undefined
        : rate > FAILING.unhealthy && files >= FAILING.ofAtLeast
          ? unhealthy(failing)
          : degraded(failing),
    ],
  );
}

function judgeOutbox({ outbox }: Facts): Report['checks']['outbox'] {
  const backlog = valueOf(outbox);
  return verdict({ entries: backlog?.entries ?? null, oldest_seconds: backlog?.oldest_seconds ?? null }, [
    unanswered('degraded', 'the outbox could not be read', faultOf(outbox)),
    backlog !== undefined && backlog.oldest_seconds > OUTBOX_LATE_SECONDS
      ? degraded(
          `events or mails that wait to be sent: ${backlog.entries}, the oldest for ${backlog.oldest_seconds} s`,
        )
      : undefined,
  ]);
}

function judgeKafka({ worker, now }: Facts): Report['checks']['kafka'] {
  const reported = valueOf(worker);
  const age = reported === undefined ? null : secondsSince(reported.written_at, now);
  const silent = age !== null && age > WORKER_SILENT_SECONDS;
  const lags = reported?.groups.map(({ lag }) => lag) ?? [null];
  const lag = lags.reduce((sum, one) => (sum === null || one === null ? null : sum + one), 0);
  const standing = standingPartitions(reported, now);
  const unreadable = reported?.unreadable;
  // Figures that are missing because the worker or Kafka is away have that reason already.
  const answers = reported?.kafka_reachable === true && !silent;
  return verdict(
    {
      reachable: reported === undefined || silent ? null : reported.kafka_reachable,
      consumer_lag: lag,
      groups: reported?.groups ?? [],
      dead_letters: reported?.dead_letters ?? null,
      standing_partitions: standing?.length ?? null,
      unreadable_batches: unreadable?.length ?? null,
      reported_seconds_ago: age,
    },
    [
      unanswered('degraded', "the worker's status could not be read", faultOf(worker)),
      'value' in worker && reported === undefined
        ? degraded('no worker has reported its status yet')
        : undefined,
      silent ? degraded(`the worker has not reported for ${age} s`) : undefined,
      reported?.kafka_reachable === false ? degraded('the worker does not reach Kafka') : undefined,
      lag !== null && lag > LAG ? degraded(`consumed messages that are not applied yet: ${lag}`) : undefined,
      ...(reported?.groups ?? []).map((group) =>
        answers && group.lag === null
          ? degraded(`it is not known how many messages of ${group.topic} wait`)
          : undefined,
      ),
      ...(standing ?? []).map(({ topic, partition, committed, seconds, waiting }) =>
        degraded(
          `partition ${partition} of ${topic} has stood at offset ${committed ?? 'none'} for ${seconds} s while messages wait: ${waiting}`,
        ),
      ),
      ...(unreadable ?? []).map(({ topic, partition, offset, reason }) =>
        degraded(
          `partition ${partition} of ${topic} stands at offset ${offset} before a batch that cannot be read: ${reason}`,
        ),
      ),
      answers && unreadable === null ? degraded('it is not known whether batches cannot be read') : undefined,
      (reported?.dead_letters ?? 0) > 0
        ? degraded(`dead letters that wait for an operator: ${reported?.dead_letters}`)
        : undefined,
      answers && reported.dead_letters === null
        ? degraded('it is not known how many dead letters wait for an operator')
        : undefined,
    ],
  );
}

/** The partitions whose committed offset has stood still for longer than allowed while messages waited. */
function standingPartitions(reported: WorkerStatus | undefined, now: Instant) {
  return reported?.groups.flatMap(({ topic, partitions }) =>
    partitions.flatMap(({ partition, committed, lag, waiting_since }) => {
      const seconds = waiting_since === null ? 0 : secondsSince(waiting_since, now);
      return seconds > STANDING_SECONDS ? [{ topic, partition, committed, seconds, waiting: lag }] : [];
    }),
  );
}

function judgeStorage({ lastRun, freeDisk }: Facts, limits: Limits): Report['checks']['storage'] {
  const quota = limits.IMPORT_STORAGE_QUOTA_BYTES;
  const bytes = valueOf(lastRun)?.bucket?.bytes ?? null;
  const used = bytes === null ? 0 : bytes / quota;
  const free = valueOf(freeDisk);
  const filled = `the bucket holds ${Math.round(used * 100)} % of its quota`;
  const room = `${free} bytes are left on the disk of the drop folder`;
  return verdict(
    {
      bytes,
      quota_bytes: quota,
      ...(freeDisk === undefined ? {} : { free_disk_bytes: free ?? null }),
    },
    [
      unanswered('degraded', 'the size of the bucket is not known', faultOf(lastRun)),
      unanswered('degraded', 'the disk of the drop folder could not be looked at', faultOf(freeDisk)),
      used > 1 ? unhealthy(filled) : used > FILLING ? degraded(filled) : undefined,
      free === undefined || free >= LITTLE_DISK_BYTES
        ? undefined
        : free < MAX_FILE_BYTES
          ? unhealthy(room)
          : degraded(room),
    ],
  );
}

/** Reachable as long as one of several reads is answered; one alone may be slow for reasons of its own. */
function judgeFirestore({ imports, outbox, worker }: Facts): Report['checks']['firestore'] {
  const reachable = [imports, outbox, worker].some((reading) => 'value' in reading);
  return verdict({ reachable }, [
    reachable ? undefined : unanswered('unhealthy', 'Firestore does not answer', faultOf(worker)),
  ]);
}

function judgeRestore({ fence }: Facts): Report['checks']['restore'] {
  const fault = valueOf(fence);
  return verdict({ fenced: 'value' in fence ? fault !== undefined : null }, [
    unanswered('degraded', 'the marks of the restore fence could not be read', faultOf(fence)),
    fault === undefined
      ? undefined
      : unhealthy(`${fenceFaults[fault]}: nothing is sent and no id is given (runbook restore.md)`),
  ]);
}

/** Figures only: a step that fails fails its run, and a hundred patients a minute leave no backlog. */
function judgeRetention({ lastRun }: Facts): Report['checks']['retention'] {
  const { erased = null, due = null, paused = null } = valueOf(lastRun)?.retention ?? {};
  return verdict({ erased_last_run: erased, due, paused }, []);
}

function judgeScheduledRun({ lastRun, now }: Facts): Report['checks']['scheduled_run'] {
  const last = valueOf(lastRun)?.taken_at ?? null;
  const age = last === null ? 0 : secondsSince(last, now);
  return verdict({ last_run: last }, [
    unanswered('degraded', 'the last scheduled run could not be read', faultOf(lastRun)),
    'value' in lastRun && last === null
      ? degraded('there was no scheduled run yet: nothing sweeps incoming/')
      : undefined,
    age > RUN_OVERDUE_SECONDS
      ? degraded(`the last scheduled run was ${age} s ago: nothing sweeps incoming/`)
      : undefined,
  ]);
}

interface Finding {
  readonly status: Status;
  readonly reason: string;
}

function degraded(reason: string): Finding {
  return { status: 'degraded', reason };
}

function unhealthy(reason: string): Finding {
  return { status: 'unhealthy', reason };
}

function unanswered(status: Status, what: string, fault: string | undefined): Finding | undefined {
  return fault === undefined ? undefined : { status, reason: `${what}: ${fault}` };
}

function verdict<Figures extends object>(
  figures: Figures,
  candidates: readonly (Finding | undefined)[],
): Check<Figures> {
  const findings = candidates.filter((finding) => finding !== undefined);
  return {
    status: worstOf(findings.map((finding) => finding.status)),
    reasons: findings.map((finding) => finding.reason),
    ...figures,
  };
}

function worstOf(statuses: readonly Status[]): Status {
  return STATUSES.findLast((status) => statuses.includes(status)) ?? 'healthy';
}

function secondsSince(timestamp: UtcTimestamp, now: Instant): number {
  const then = parseTimestamp(timestamp)?.epochMilliseconds ?? 0;
  return Math.max(0, Math.floor((now.epochMilliseconds - then) / 1000));
}
