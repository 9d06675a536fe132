/** Repeats an assertion until it is true, for effects in another process. */
import { setTimeout as delay } from 'node:timers/promises';

/** A limit that only a missing effect exceeds: the machine that runs the tests may be slow and busy. */
const WITHIN_MS = 120_000;

/**
 * Calls `assertion` every 50 ms until it does not throw.
 * @returns its result
 * @throws its last error after `withinMs` milliseconds
 */
export async function eventually<T>(assertion: () => T | Promise<T>, withinMs = WITHIN_MS): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await delay(50);
  }
}
