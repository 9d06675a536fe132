/** Shared by all checks: combines findings to a status with its reasons. */
import { parseTimestamp, type Instant, type UtcTimestamp } from '../../../shared/platform/clock.ts';

/** The statuses from best to worst. */
const STATUSES = ['healthy', 'degraded', 'unhealthy'] as const;
/** `degraded`: staff should look. `unhealthy`: a promise is broken. */
export type Status = (typeof STATUSES)[number];

/** The configured limits. */
export interface Limits {
  readonly IMPORT_STUCK_AFTER_SECONDS: number;
  readonly IMPORT_STORAGE_QUOTA_BYTES: number;
}

/** The runbooks that findings refer to: files in docs/runbooks, without `.md`. */
export type Runbook =
  | 'consumer-lag'
  | 'dead-letters'
  | 'health-silent'
  | 'health-unreachable'
  | 'import-failure-rate'
  | 'oldest-incoming-file'
  | 'outbox-age'
  | 'restore'
  | 'standing-partition'
  | 'storage-filling'
  | 'unreadable-batch'
  | 'worker-not-polling';

/** One part of the verdict: its figures, and why it is not healthy. */
export type Check<Figures> = Figures & {
  readonly status: Status;
  /** In words. */
  readonly reasons: readonly string[];
  /** The runbooks that fit the reasons, each once. */
  readonly runbooks: readonly Runbook[];
};

interface Finding {
  readonly status: Status;
  readonly runbook: Runbook;
  readonly reason: string;
}

/** A finding that staff should look at. */
export function degraded(runbook: Runbook, reason: string): Finding {
  return { status: 'degraded', runbook, reason };
}

/** A finding that breaks a promise. */
export function unhealthy(runbook: Runbook, reason: string): Finding {
  return { status: 'unhealthy', runbook, reason };
}

/** A finding about a query without a result. @param fault why there is none; undefined, and then no finding, if there is one */
export function unanswered(
  status: Status,
  runbook: Runbook,
  what: string,
  fault: string | undefined,
): Finding | undefined {
  return fault === undefined ? undefined : { status, runbook, reason: `${what}: ${fault}` };
}

/** Combines the figures with the worst status and the reasons of the findings. */
export function verdict<Figures extends object>(
  figures: Figures,
  candidates: readonly (Finding | undefined)[],
): Check<Figures> {
  const findings = candidates.filter((finding) => finding !== undefined);
  return {
    status: worstOf(findings.map((finding) => finding.status)),
    reasons: findings.map((finding) => finding.reason),
    runbooks: [...new Set(findings.map((finding) => finding.runbook))],
    ...figures,
  };
}

/** The worst of the statuses; `healthy` when there are none. */
export function worstOf(statuses: readonly Status[]): Status {
  return STATUSES.findLast((status) => statuses.includes(status)) ?? 'healthy';
}

/** The age of a timestamp in whole seconds, at least 0. */
export function secondsSince(timestamp: UtcTimestamp, now: Instant): number {
  const then = parseTimestamp(timestamp)?.epochMilliseconds ?? 0;
  return Math.max(0, Math.floor((now.epochMilliseconds - then) / 1000));
}
