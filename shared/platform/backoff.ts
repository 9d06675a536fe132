/** Growing delays between attempts, with jitter so that workers that failed together do not retry together. */
import { setTimeout as sleep } from 'node:timers/promises';

/** The delay after the first failed attempt, and the longest one, in milliseconds. */
export interface BackoffRange {
  readonly firstMs: number;
  readonly lastMs: number;
}

/**
 * The delay after a failed attempt: doubles each time up to `lastMs`; a random 50 to 100 % of that is used.
 * @param attempt 1 for the first
 * @returns milliseconds
 */
export function delayAfter(attempt: number, { firstMs, lastMs }: BackoffRange): number {
  const full = Math.min(lastMs, firstMs * 2 ** Math.min(attempt - 1, 30));
  return full * (0.5 + Math.random() / 2);
}

/** Waits this many milliseconds, or until the signal is aborted. Never throws. */
export async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
