/** Checks whether the database is a restored copy that no operator has released (docs/runbooks/restore.md). */
import { fenceFaults } from '../../../shared/store/fence.ts';
import type { Facts } from '../facts.ts';
import { faultOf, valueOf } from '../reading.ts';
import { unanswered, unhealthy, verdict, type Check } from './check.ts';

/** As `/health` answers it; null: not known. */
export type RestoreCheck = Check<{
  /** Whether the database is such a copy; null when it is unknown. */
  readonly fenced: boolean | null;
}>;

/** Unhealthy while the database is fenced. */
export function judgeRestore({ fence }: Facts): RestoreCheck {
  const fault = valueOf(fence);
  return verdict({ fenced: 'value' in fence ? fault !== undefined : null }, [
    unanswered('degraded', 'restore', 'the marks of the restore fence could not be read', faultOf(fence)),
    fault === undefined
      ? undefined
      : unhealthy('restore', `${fenceFaults[fault]}: nothing is sent and no ids are allocated`),
  ]);
}
