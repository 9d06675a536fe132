/**
 * Growing delays between attempts, with jitter so that workers that failed together do not return together.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** The delay after the first failed attempt, and the longest one, in milliseconds. */
export interface BackoffRange {
  readonly firstMs: number;
  readonly lastMs: number;
}

/**
 * The delay after the given failed attempt (1, 2, …): doubled each time, up to the last, then 50 to 100 % of it.
 * @returns milliseconds
 */
export function delayAfter(attempt: number, { firstMs, lastMs }: BackoffRange): number {
  const full = Math.min(lastMs, firstMs * 2 ** Math.min(attempt - 1, 30));
  return full * (0.5 + Math.random() / 2);
}

/** Waits so many milliseconds, or until the signal is given. Never throws. */
export async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
