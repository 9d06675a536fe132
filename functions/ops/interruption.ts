/**
 * How long commands end before they are done: by Ctrl-C, SIGTERM or an outage. What was done stays done, and the
 * operator is told how to go on.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** Somebody asked the command to stop: the reason of its signal. */
export class Interrupted extends Error {
  constructor() {
    super('Interrupted.');
  }
}

/** A long command ended early. The message says why and how to go on; `cause` decides the exit code. */
export class EndedEarly extends Error {
  constructor(cause: unknown, howToGoOn: string) {
    super(`${cause instanceof Error ? cause.message : 'Something went wrong.'}\n${howToGoOn}`, { cause });
  }
}

/**
 * Does long work.
 * @param howToGoOn asked when the work ends early; undefined where there is nothing to say
 * @throws EndedEarly
 */
export async function resumable<T>(work: () => Promise<T>, howToGoOn: () => string | undefined): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const sentence = howToGoOn();
    throw sentence === undefined ? error : new EndedEarly(error, sentence);
  }
}

/**
 * Waits until the next step may begin; not at all once the command was asked to stop.
 * @param rate steps a second; undefined: as fast as possible
 * @param startedAt of the step before, in milliseconds of the process's clock
 */
export async function keepRate(
  rate: number | undefined,
  startedAt: number,
  signal: AbortSignal,
): Promise<void> {
  if (rate === undefined) return;
  const ms = 1000 / rate - (performance.now() - startedAt);
  await sleep(Math.max(0, ms), undefined, { signal }).catch(() => undefined);
}
