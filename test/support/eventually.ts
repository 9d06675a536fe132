/**
 * Repeats an assertion until it holds: for what happens elsewhere, in its own time.
 */
import { setTimeout as delay } from 'node:timers/promises';

/** @returns what `assertion` returned when it first did not throw @throws its last error once `withinMs` is over */
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
