/**
 * Wakes one waiting loop. A ring while the loop works ends its next wait at once; several rings count as one. A ring may
 * carry news. Only a loop that is already waiting gets it: kept news might be out of date.
 */
export interface Bell<News = never> {
  ring(news?: News): void;
  /**
   * Resolves when it rings, when the time is over, or when the signal is given.
   * @returns the news of the last ring, if it brought any
   */
  heard(withinMs: number, signal: AbortSignal): Promise<News | undefined>;
}

export function createBell<News = never>(): Bell<News> {
  let rung = false;
  let latest: News | undefined;
  let wake: (() => void) | undefined;
  return {
    ring(news) {
      rung = true;
      latest = wake === undefined ? undefined : news;
      wake?.();
    },
    async heard(withinMs, signal) {
      if (!rung && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = setTimeout(resolve, withinMs);
        const stop = () => resolve();
        signal.addEventListener('abort', stop);
        wake = stop;
        await promise;
        wake = undefined;
        signal.removeEventListener('abort', stop);
        clearTimeout(timer);
      }
      const news = latest;
      rung = false;
      latest = undefined;
      return news;
    },
  };
}
