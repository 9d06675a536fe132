/** Reports the patients that the last run erased because their retention had ended. */
import type { Facts } from '../facts.ts';
import { valueOf } from '../reading.ts';
import { verdict, type Check } from './check.ts';

/** As `/health` answers it; null where no rule is on. */
export type RetentionCheck = Check<{
  readonly erased_last_run: number | null;
  readonly due: number | null;
  /** Why erasure is paused; null when it is not. */
  readonly paused: string | null;
}>;

/** Figures only. A failed step already fails its run, and at 100 patients a minute there is no backlog. */
export function judgeRetention({ lastRun }: Facts): RetentionCheck {
  const { erased = null, due = null, paused = null } = valueOf(lastRun)?.retention ?? {};
  return verdict({ erased_last_run: erased, due, paused }, []);
}
