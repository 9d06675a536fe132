/** Checks the import: how long files wait and how many fail. */
import type { UtcTimestamp } from '../../../shared/platform/clock.ts';
import type { Facts } from '../facts.ts';
import { faultOf, valueOf } from '../reading.ts';
import { degraded, unanswered, unhealthy, verdict, type Check, type Limits } from './check.ts';

/** Failure rates above which the check is degraded or unhealthy, and the number of files required for unhealthy. */
export const FAILING = { degraded: 0.2, unhealthy: 0.5, ofAtLeast: 5 };

/** As `/health` answers it; null: not known. */
export type ImportCheck = Check<{
  readonly last_success: UtcTimestamp | null;
  readonly last_failure: UtcTimestamp | null;
  readonly successes_24h: number | null;
  readonly failures_24h: number | null;
  /** From 0 to 1. */
  readonly failure_rate: number | null;
  readonly incoming_files: number | null;
  readonly oldest_incoming_seconds: number | null;
}>;

/** Unhealthy when a file waits for longer than is promised, or too many fail. */
export function judgeImport({ incoming, imports }: Facts, limits: Limits): ImportCheck {
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
      unanswered('unhealthy', 'oldest-incoming-file', 'incoming/ could not be listed', faultOf(incoming)),
      unanswered('degraded', 'health-unreachable', 'the import records could not be read', faultOf(imports)),
      waiting !== undefined && waiting.oldest_seconds > promised
        ? unhealthy(
            'oldest-incoming-file',
            `a file has been waiting in incoming/ for ${waiting.oldest_seconds} s, longer than the promised ${promised} s`,
          )
        : undefined,
      rate === undefined || rate <= FAILING.degraded
        ? undefined
        : rate > FAILING.unhealthy && files >= FAILING.ofAtLeast
          ? unhealthy('import-failure-rate', failing)
          : degraded('import-failure-rate', failing),
    ],
  );
}
