/** A bell that wakes one waiting loop. Rung while nobody waits, it is heard at the next wait; many rings are one. */
export interface Bell {
  ring(): void;
  /** Resolves when it rings, when the time is over, or when the signal is given. */
  heard(withinMs: number, signal: AbortSignal): Promise<void>;
}

export function createBell(): Bell {
  let rung = false;
  let wake = () => {};
  return {
    ring() {
      rung = true;
      wake();
    },
    async heard(withinMs, signal) {
      if (!rung && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = setTimeout(resolve, withinMs);
        const stop = () => resolve();
        signal.addEventListener('abort', stop);
        wake = stop;
        await promise;
        signal.removeEventListener('abort', stop);
        clearTimeout(timer);
      }
      rung = false;
    },
  };
}
