/**
 * Waits until a started process answers.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Running } from './process.ts';

/**
 * Repeats `probe` until it returns true. A process that takes too long is ended.
 * @throws Error naming `what`, when the process ended early or took too long
 */
export async function untilReady(
  running: Running,
  what: string,
  probe: () => Promise<boolean>,
  withinMs = 60_000,
): Promise<void> {
  let ended = false;
  const noteEnd = async () => {
    await running.exited;
    ended = true;
  };
  void noteEnd();
  const deadline = Date.now() + withinMs;
  while (!(await probe().catch(() => false))) {
    if (ended) throw new Error(`${what} ended before it was ready`);
    if (Date.now() > deadline) {
      await running.kill();
      throw new Error(`${what} was not ready within ${withinMs / 1000} s`);
    }
    await delay(25);
  }
}
