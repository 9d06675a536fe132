/** What the checks have in common: from findings to a status with its reasons. */
import { parseTimestamp, type Instant, type UtcTimestamp } from '../../../shared/platform/clock.ts';

/** From best to worst. */
const STATUSES = ['healthy', 'degraded', 'unhealthy'] as const;
export type Status = (typeof STATUSES)[number];

/** What configuration decides. */
export interface Limits {
  readonly IMPORT_STUCK_AFTER_SECONDS: number;
  readonly IMPORT_STORAGE_QUOTA_BYTES: number;
}

/** One part of the verdict: its figures, and in words why it is not healthy. */
export type Check<Figures> = Figures & { readonly status: Status; readonly reasons: readonly string[] };

interface Finding {
  readonly status: Status;
  readonly reason: string;
}

/** Staff should look at it. */
export function degraded(reason: string): Finding {
  return { status: 'degraded', reason };
}

/** A promise is broken. */
export function unhealthy(reason: string): Finding {
  return { status: 'unhealthy', reason };
}

/** What could not be found out, if so. @param fault why there was no answer; undefined when there was one */
export function unanswered(status: Status, what: string, fault: string | undefined): Finding | undefined {
  return fault === undefined ? undefined : { status, reason: `${what}: ${fault}` };
}

/** The figures with the worst status of the findings, and their reasons. */
export function verdict<Figures extends object>(
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

/** `healthy` where there is none. */
export function worstOf(statuses: readonly Status[]): Status {
  return STATUSES.findLast((status) => statuses.includes(status)) ?? 'healthy';
}

/** Whole seconds, at least 0. */
export function secondsSince(timestamp: UtcTimestamp, now: Instant): number {
  const then = parseTimestamp(timestamp)?.epochMilliseconds ?? 0;
  return Math.max(0, Math.floor((now.epochMilliseconds - then) / 1000));
}
