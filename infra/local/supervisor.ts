/**
 * Keeps the parts of the stack running: starts each, starts it again when it dies (within a second, later if it dies
 * again and again), and tells who listens. It knows nothing of what the parts do.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Running } from './process.ts';

/** One part of the stack: how it is started, each time anew. Resolves when it is ready. */
export interface Part {
  readonly name: string;
  readonly start: () => Promise<Running>;
}

export interface Supervised {
  readonly name: string;
  /** Undefined while it is down, and for an engine that somebody else runs. */
  readonly pid: number | undefined;
  /** `down`: about to be started, or started again, or just ending; `stopped`: on purpose, until `start()`. */
  readonly state: 'up' | 'down' | 'stopped';
  /** Resolves when it is ready. Starting what runs already, or is about to be started again, changes nothing. */
  start(): Promise<void>;
  /** Ends it in order; it stays down until `start()`. */
  stop(): Promise<void>;
  /** kill -9; it is started again like after any other death. Resolves when it has ended. */
  kill(): Promise<void>;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;
/** A part that lived this long starts again with the first wait. */
const SETTLED_MS = 10_000;

/** @param onChange called when the part has died, and when it is up again */
export function supervise(
  part: Part,
  onChange: (event: 'died' | 'restarted', name: string) => void = () => undefined,
): Supervised {
  let running: Running | undefined;
  /** Aborted when the part is not wanted any more. */
  let wanted: AbortController | undefined;
  let wait = FIRST_WAIT_MS;
  let pending: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  let stops = 0;

  const startOnce = async (unwanted: AbortSignal): Promise<void> => {
    const started = await part.start();
    if (unwanted.aborted) return started.stop();
    running = started;
    void watchOver(started, unwanted);
  };

  const watchOver = async (watched: Running, unwanted: AbortSignal): Promise<void> => {
    const since = Date.now();
    await watched.exited;
    // It was stopped on purpose.
    if (running !== watched) return;
    running = undefined;
    if (Date.now() - since > SETTLED_MS) wait = FIRST_WAIT_MS;
    onChange('died', part.name);
    pending = startAgain(unwanted);
  };

  const startAgain = async (unwanted: AbortSignal): Promise<void> => {
    for (let isUp = false; !isUp;) {
      await delay(wait, undefined, { signal: unwanted }).catch(() => undefined);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
      if (unwanted.aborted) return;
      isUp = await startOnce(unwanted).then(
        () => true,
        () => false,
      );
    }
    if (!unwanted.aborted) onChange('restarted', part.name);
  };

  const end = async (): Promise<void> => {
    await pending?.catch(() => undefined);
    const stopped = running;
    running = undefined;
    await stopped?.stop();
  };

  return {
    name: part.name,
    get pid() {
      return running?.pid;
    },
    get state() {
      if (wanted === undefined) return stopping === undefined ? 'stopped' : 'down';
      return running === undefined ? 'down' : 'up';
    },
    async start() {
      const before = stops;
      // Until it has ended, its port and its data are those of the process that is being stopped.
      await stopping;
      if (stops !== before) return;
      if (wanted !== undefined) return pending;
      wanted = new AbortController();
      wait = FIRST_WAIT_MS;
      pending = startOnce(wanted.signal);
      await pending.catch((error: unknown) => {
        wanted = undefined;
        throw error;
      });
    },
    async stop() {
      stops += 1;
      wanted?.abort();
      wanted = undefined;
      stopping ??= end().finally(() => (stopping = undefined));
      await stopping;
    },
    async kill() {
      await running?.kill();
    },
  };
}
