/** Checks whether the scheduled run takes place, which imports missed files. */
import type { UtcTimestamp } from '../../../shared/platform/clock.ts';
import type { Facts } from '../facts.ts';
import { faultOf, valueOf } from '../reading.ts';
import { degraded, secondsSince, unanswered, verdict, type Check } from './check.ts';

/** Cloud Scheduler starts a run every minute, so four were missed. */
const RUN_OVERDUE_SECONDS = 300;

/** As `/health` answers it; null: not known. */
export type ScheduledRunCheck = Check<{ readonly last_run: UtcTimestamp | null }>;

/** Degraded when the last run is overdue, or there was none. */
export function judgeScheduledRun({ lastRun, now }: Facts): ScheduledRunCheck {
  const last = valueOf(lastRun)?.taken_at ?? null;
  const age = last === null ? 0 : secondsSince(last, now);
  return verdict({ last_run: last }, [
    unanswered(
      'degraded',
      'health-unreachable',
      'the last scheduled run could not be read',
      faultOf(lastRun),
    ),
    'value' in lastRun && last === null
      ? degraded('health-silent', 'there has been no scheduled run yet, so missed files are not imported')
      : undefined,
    age > RUN_OVERDUE_SECONDS
      ? degraded('health-silent', `the last scheduled run was ${age} s ago, so missed files are not imported`)
      : undefined,
  ]);
}
