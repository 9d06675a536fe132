/**
 * The verdict on the service's health (docs/domain.md#health). Turns facts into a status with reasons in words. Pure.
 * Each check has its own file with its limits. An unknown figure is null; a figure with nothing to count is zero.
 */
import { utcTimestamp, type UtcTimestamp } from '../../shared/platform/clock.ts';
import { worstOf, type Limits, type Status } from './checks/check.ts';
import { judgeFirestore } from './checks/firestore.ts';
import { judgeImport } from './checks/import.ts';
import { judgeKafka } from './checks/kafka.ts';
import { judgeOutbox } from './checks/outbox.ts';
import { judgeRestore } from './checks/restore.ts';
import { judgeRetention } from './checks/retention.ts';
import { judgeScheduledRun } from './checks/scheduled-run.ts';
import { judgeStorage } from './checks/storage.ts';
import type { Facts } from './facts.ts';

/** The response of `/health`. */
export interface Report {
  /** The worst of the checks. */
  readonly status: Status;
  readonly checked_at: UtcTimestamp;
  readonly checks: ReturnType<typeof check>;
}

/** Judges the facts as of `facts.now`. */
export function judge(facts: Facts, limits: Limits): Report {
  const checks = check(facts, limits);
  return {
    status: worstOf(Object.values(checks).map(({ status }) => status)),
    checked_at: utcTimestamp(facts.now),
    checks,
  };
}

function check(facts: Facts, limits: Limits) {
  return {
    import: judgeImport(facts, limits),
    outbox: judgeOutbox(facts),
    kafka: judgeKafka(facts),
    storage: judgeStorage(facts, limits),
    firestore: judgeFirestore(facts),
    restore: judgeRestore(facts),
    retention: judgeRetention(facts),
    scheduled_run: judgeScheduledRun(facts),
  };
}
