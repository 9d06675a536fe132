/**
 * Which shards are behind; when the relay begins all are, for all that is known. While one is, nobody listens to the
 * outbox: a listener is told of every entry that moves up into its view, a second read for each (and the emulator
 * looks through the whole collection for every listener with every write). A shard that is far behind wakes the others.
 */
import { SHARDS } from '../../../shared/store/outbox.ts';

export interface Backlog {
  behind(shard: number): void;
  caughtUp(shard: number): void;
  isCalm(): boolean;
  /** Resolves when no shard is behind, with the signal that says when one is again. */
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
