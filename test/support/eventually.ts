/** Repeats an assertion until it holds, for effects in another process. */
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Calls `assertion` every 50 ms until it does not throw.
 * @returns its result
 * @throws its last error after `withinMs` milliseconds
 */
export async function eventually<T>(assertion: () => T | Promise<T>, withinMs = 10_000): Promise<T> {
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
