/** Records the rounds and failures of the relay's loops, for status and liveness. */
import { isServiceError, type ErrorCode } from '../../../shared/platform/errors.ts';
import { SHARDS } from '../../../shared/store/outbox.ts';

export interface Journal {
  /** A shard's loop begins another round. */
  turned(shard: number): void;
  /** Everything in a shard was sent. */
  emptied(shard: number): void;
  failed(error: unknown): void;
  /** When the slowest shard's loop last began a round; undefined until all have. */
  lastTurnAt(): number | undefined;
  /** Every shard was seen empty at this time or later; undefined until every shard was empty once. */
  lastEmptyAt(): number | undefined;
  lastErrorCode(): ErrorCode | undefined;
}

/** Times are in milliseconds since the epoch. */
export function createJournal(now: () => number = Date.now): Journal {
  const turns = new Map<number, number>();
  const empties = new Map<number, number>();
  let errorCode: ErrorCode | undefined;
  const earliest = (times: Map<number, number>) =>
    times.size < SHARDS ? undefined : Math.min(...times.values());
  return {
    turned: (shard) => turns.set(shard, now()),
    emptied: (shard) => empties.set(shard, now()),
    failed: (error) => (errorCode = isServiceError(error) ? error.code : 'internal'),
    lastTurnAt: () => earliest(turns),
    lastEmptyAt: () => earliest(empties),
    lastErrorCode: () => errorCode,
  };
}
