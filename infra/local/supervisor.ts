/**
 * Keeps the parts of the stack running: starts each, starts it again within a second when it dies, and tells
 * who listens. It knows nothing of what the parts do.
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
  /** Resolves when it is ready. Starting what runs already changes nothing. */
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
  let wanted = false;
  let wait = FIRST_WAIT_MS;
  let pending: Promise<void> | undefined;

  const startOnce = async (): Promise<void> => {
    const started = await part.start();
    if (!wanted) return started.stop();
    running = started;
    void watchOver(started);
  };

  const watchOver = async (watched: Running): Promise<void> => {
    const since = Date.now();
    await watched.exited;
    // It was stopped on purpose.
    if (running !== watched) return;
    running = undefined;
    if (Date.now() - since > SETTLED_MS) wait = FIRST_WAIT_MS;
    onChange('died', part.name);
    await startAgain();
  };

  const startAgain = async (): Promise<void> => {
    await delay(wait);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    if (!wanted) return;
    pending = startOnce();
    try {
      await pending;
      onChange('restarted', part.name);
    } catch {
      await startAgain();
    }
  };

  return {
    name: part.name,
    get pid() {
      return running?.pid;
    },
    async start() {
      if (wanted) return pending;
      wanted = true;
      wait = FIRST_WAIT_MS;
      pending = startOnce();
      await pending.catch((error: unknown) => {
        wanted = false;
        throw error;
      });
    },
    async stop() {
      wanted = false;
      await pending?.catch(() => undefined);
      const stopped = running;
      running = undefined;
      await stopped?.stop();
    },
    async kill() {
      await running?.kill();
    },
  };
}
