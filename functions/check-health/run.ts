/**
 * The scheduled run, once a minute: imports missed files, completes interrupted erasures, removes expired documents, and
 * writes a snapshot and metrics. A step that fails or hangs does not stop the others.
 */
import { randomUUID } from 'node:crypto';
import type { RetentionDays } from '../../shared/patient/retention.ts';
import { parseTimestamp, utcTimestamp, type Instant } from '../../shared/platform/clock.ts';
import { measure } from '../../shared/platform/metrics.ts';
import { isServiceError } from '../../shared/platform/errors.ts';
import { errorFields } from '../../shared/platform/log.ts';
import { completeErasures } from '../../shared/registration/erase-patient.ts';
import type { ImportDependencies } from '../../shared/registration/import-object.ts';
import { eraseLapsed } from '../../shared/registration/retention.ts';
import { removeExpired } from '../../shared/store/expiry.ts';
import {
  readNewestSnapshot,
  writeSnapshot,
  type HealthSnapshot,
} from '../../shared/store/health-snapshots.ts';
import { releaseLease, takeLease, type Lease } from '../../shared/store/leases.ts';
import { aNewWalk, isFresh, measureBucket, type Measured } from './bucket-size.ts';
import type { Limits, Status } from './checks/check.ts';
import { gatherFacts, type FactSources } from './facts.ts';
import { removeOrphans } from './orphans.ts';
import { reportSamples } from './samples.ts';
import { sweepIncoming, type Swept } from './sweep.ts';
import { judge } from './verdict.ts';

export interface HealthDependencies extends ImportDependencies, FactSources {
  readonly retention: RetentionDays;
  readonly limits: Limits & { readonly PATIENT_IMPORT_CHECK_INTERVAL_SECONDS: number };
}

export interface RunReport {
  readonly status: Status;
  /** Null when the step failed or was not due. */
  readonly swept: Swept | null;
  readonly erasures_completed: number | null;
  readonly expired_removed: number | null;
  /** Patients erased because their retention has ended; null when the step failed or no rule is on. */
  readonly retention_erased: number | null;
  readonly failed_steps: readonly string[];
}

/** Time limit of a step. So a run ends before the next but one starts, and long before Cloud Run cuts the request. */
const STEP_MS = 50_000;
/** Two steps and the facts, each at its limit. A run that was killed blocks the next ones for this time. */
export const LONGEST_RUN_MS = 180_000;
/** Time that a run spends on listing the bucket. The next run continues the walk. */
const WALK_MS = 20_000;
/** A younger file is left to its event. */
const LEFT_TO_EVENT_SECONDS = 60;
/** Tolerance, because Cloud Scheduler does not call exactly on time. */
const EARLY_SECONDS = 5;

/** Runs all steps that are due. @returns undefined when another run is in progress */
export async function runScheduled(deps: HealthDependencies): Promise<RunReport | undefined> {
  let lease: Lease | undefined;
  try {
    lease = await takeLease(deps.db, 'scheduled-run', randomUUID(), LONGEST_RUN_MS);
    if (lease === undefined) return undefined;
  } catch (error) {
    // Run without the lease: without Firestore a concurrent run does nothing, and this run reports the failed steps.
    deps.log.warn('Lease of the scheduled run could not be requested', errorFields(error));
  }
  try {
    return await runAlone(deps);
  } finally {
    if (lease !== undefined) {
      await releaseLease(lease, true).catch((error: unknown) =>
        deps.log.warn('Lease of the scheduled run could not be released and will expire', errorFields(error)),
      );
    }
  }
}

async function runAlone(deps: HealthDependencies): Promise<RunReport> {
  const { db, bucket, clock, log, limits, retention } = deps;
  const failed: string[] = [];
  let orphansSoughtAt: string | undefined;

  async function step<T>(name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
    const signal = AbortSignal.timeout(STEP_MS);
    try {
      return await Promise.race([work(signal), rejectedOn(signal)]);
    } catch (error) {
      log.error('Step of the scheduled run failed', { component: name, ...errorFields(error) });
      measure(log, 'errors', { error_code: isServiceError(error) ? error.code : 'internal' });
      failed.push(name);
      return null;
    }
  }

  async function measureIfDue(last: HealthSnapshot | null | undefined): Promise<Measured | null> {
    const seeks = isOrphanSearchDue(last?.orphans_sought_at, clock());
    const walk = last?.walk ?? null;
    if (walk === null && !seeks && last?.bucket && isFresh(last.bucket, clock())) return { walk: null };
    const begun = walk ?? aNewWalk(clock(), seeks);
    if (begun.seeks_orphans) orphansSoughtAt = begun.begun_at;
    return step('measure the bucket', () =>
      measureBucket(bucket, clock, begun, WALK_MS, (objects) => removeOrphans(deps, objects)),
    );
  }

  const last = await step('read the last run', () => readNewestSnapshot(db));
  const due = isSweepDue(last?.swept_at, clock(), limits.PATIENT_IMPORT_CHECK_INTERVAL_SECONDS);
  const sweptAt = utcTimestamp(clock());
  // If the promised import time is shorter than the usual wait for the event, sweep within that time.
  const olderThan = Math.min(LEFT_TO_EVENT_SECONDS, limits.IMPORT_STUCK_AFTER_SECONDS);
  const isRetentionOn = retention.unpaid !== undefined || retention.closed !== undefined;
  const [swept, erasures, expired, measured, lapsed] = await Promise.all([
    due ? step('sweep', (signal) => sweepIncoming(deps, olderThan, signal)) : null,
    step('complete erasures', () => completeErasures(deps)),
    step('remove what has expired', () => removeExpired(db, clock())),
    measureIfDue(last),
    isRetentionOn ? step('retention', (signal) => eraseLapsed(deps, retention, { signal })) : null,
  ]);
  if (swept !== null && swept.failed > 0) failed.push('sweep');
  const bucketSize = measured?.size ?? last?.bucket ?? null;

  const thisRun = { taken_at: utcTimestamp(clock()), bucket: bucketSize, retention: lapsed };
  const facts = await gatherFacts(deps, 10_000, { lastRun: { value: thisRun } });
  const report = judge(facts, limits);
  reportSamples(log, facts, report);
  const snapshot: HealthSnapshot = {
    taken_at: utcTimestamp(facts.now),
    status: report.status,
    checks: report.checks,
    swept_at: swept === null ? (last?.swept_at ?? null) : sweptAt,
    bucket: bucketSize,
    orphans_sought_at: orphansSoughtAt ?? last?.orphans_sought_at ?? null,
    walk: measured === null ? (last?.walk ?? null) : measured.walk,
    retention: lapsed,
  };
  await step('write the snapshot', () => writeSnapshot(db, snapshot, facts.now));
  const done: RunReport = {
    status: report.status,
    swept,
    erasures_completed: erasures,
    expired_removed: expired,
    retention_erased: lapsed?.erased ?? null,
    failed_steps: failed,
  };
  log.info('Scheduled run finished', { status: report.status, count: swept?.imported ?? 0 });
  return done;
}

function isSweepDue(sweptAt: string | null | undefined, now: Instant, intervalSeconds: number): boolean {
  const last = parseTimestamp(sweptAt ?? '');
  if (last === undefined) return true;
  return now.epochMilliseconds - last.epochMilliseconds >= (intervalSeconds - EARLY_SECONDS) * 1000;
}

/** Once a day, because the search reads one record for each object of the archive. */
function isOrphanSearchDue(soughtAt: string | null | undefined, now: Instant): boolean {
  const last = parseTimestamp(soughtAt ?? '');
  return last === undefined || now.subtract({ hours: 24 }).epochMilliseconds >= last.epochMilliseconds;
}

function rejectedOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
