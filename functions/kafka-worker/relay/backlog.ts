/**
 * Which shards are behind. All count as behind when the relay starts. While a shard is behind, no listener runs on the
 * outbox: a listener reads every entry that moves up into its view, a second read for each (and with every write the
 * emulator scans the whole collection once per listener). A shard that is far behind wakes the others.
 */
import { SHARDS } from '../../../shared/store/outbox.ts';

export interface Backlog {
  behind(shard: number): void;
  caughtUp(shard: number): void;
  isCalm(): boolean;
  /** Resolves when no shard is behind, with a signal that is given when one falls behind again. */
  calm(): Promise<AbortSignal>;
}

export function createBacklog(): Backlog {
  const shards = new Set(Array.from({ length: SHARDS }, (_, shard) => shard));
  let calm = Promise.withResolvers<AbortSignal>();
  let stirred = new AbortController();
  return {
    behind(shard) {
      if (shards.size === 0) {
        calm = Promise.withResolvers();
        stirred.abort();
      }
      shards.add(shard);
    },
    caughtUp(shard) {
      if (!shards.delete(shard) || shards.size > 0) return;
      stirred = new AbortController();
      calm.resolve(stirred.signal);
    },
    isCalm: () => shards.size === 0,
    calm: () => calm.promise,
  };
}
