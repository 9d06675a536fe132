/**
 * Which shards are behind. While one is, nobody listens to the events: a listener is told of every entry that moves
 * up into its view, a second read for each (and the emulator looks through the whole collection for each write).
 * Instead, the shard that is behind wakes the others after each of its pages.
 */
export interface Backlog {
  behind(shard: number): void;
  caughtUp(shard: number): void;
  /** Resolves when no shard is behind, with the signal that says when one is again. */
  calm(): Promise<AbortSignal>;
}

export function createBacklog(): Backlog {
  const shards = new Set<number>();
  let calm = Promise.withResolvers<AbortSignal>();
  let stirred = new AbortController();
  calm.resolve(stirred.signal);
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
    calm: () => calm.promise,
  };
}
