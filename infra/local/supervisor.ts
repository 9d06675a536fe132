/**
 * Keeps the parts of the stack running: starts each, restarts it when it dies (within a second, later if it keeps dying),
 * and reports each change. It does not know what the parts do.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Running } from './process.ts';

/** Starts one part of the stack, each time anew. Resolves when the part is ready. */
export interface Part {
  readonly name: string;
  readonly start: () => Promise<Running>;
}

export interface Supervised {
  readonly name: string;
  /** Undefined while it is down, and for an engine that the stack did not start. */
  readonly pid: number | undefined;
  /** `down`: waiting for its start or restart, or ending; `stopped`: on purpose, until `start()`. */
  readonly state: 'up' | 'down' | 'stopped';
  /** Resolves when the part is ready. Has no other effect on a part that runs or waits for its restart. */
  start(): Promise<void>;
  /** Ends the part with SIGTERM; it stays down until `start()`. */
  stop(): Promise<void>;
  /** kill -9; the part restarts as after any other death. Resolves when the process has ended. */
  kill(): Promise<void>;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;
/** Milliseconds of uptime after which the next restart uses the first, shortest wait again. */
const SETTLED_MS = 10_000;

/** @param onChange called when the part has died, and when it is up again */
export function supervise(
  part: Part,
  onChange: (event: 'died' | 'restarted', name: string) => void = () => undefined,
): Supervised {
  let running: Running | undefined;
  /** Aborted when the part is to be stopped. */
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
      // Until the stopping process has ended, it holds the port and the data.
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
