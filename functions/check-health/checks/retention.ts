/** What the last run has erased because it is kept no longer. */
import type { Facts } from '../facts.ts';
import { valueOf } from '../reading.ts';
import { verdict, type Check } from './check.ts';

export type RetentionCheck = Check<{
  readonly erased_last_run: number | null;
  readonly due: number | null;
  /** Why nobody is erased although some may be due. */
  readonly paused: string | null;
}>;

/** Figures only: a step that fails fails its run, and a hundred patients a minute leave no backlog. */
export function judgeRetention({ lastRun }: Facts): RetentionCheck {
  const { erased = null, due = null, paused = null } = valueOf(lastRun)?.retention ?? {};
  return verdict({ erased_last_run: erased, due, paused }, []);
}
