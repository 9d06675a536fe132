/**
 * How long-running commands end early: by Ctrl-C, SIGTERM or an outage. Completed steps stay, and the operator is told
 * how to continue.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** The command was asked to stop: the reason of its abort signal. */
export class Interrupted extends Error {
  constructor() {
    super('Interrupted.');
  }
}

/** A long-running command ended early. The message says why and how to continue; `cause` decides the exit code. */
export class EndedEarly extends Error {
  constructor(cause: unknown, howToGoOn: string) {
    super(`${cause instanceof Error ? cause.message : 'Something went wrong.'}\n${howToGoOn}`, { cause });
  }
}

/**
 * Runs long work, and adds to its errors how to continue.
 * @param howToGoOn called when the work ends early; undefined when there is nothing to say
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

type Options = Readonly<Record<string, string | number | undefined>>;

/** How to continue, such as `Continue with: ops search rebuild --after 7`. Options without a value are left out. */
export function continueWith(command: string, options: Options): string {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return ['Continue with: ops', command, ...given.map(([name, value]) => `--${name} ${value}`)].join(' ');
}

/** The place that progress names for a person who must continue after a kill: nothing when nothing is done. */
export function doneUpTo(what: 'patient' | 'partition', last: number | undefined): string | undefined {
  return last === undefined ? undefined : `done up to ${what} ${last}`;
}

/**
 * Waits until the next step may begin; returns at once when the command was asked to stop.
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
