/**
 * Starts one child process of the local stack with its output in a file, and ends it together with its children. The
 * caller decides what to start and checks whether it is ready.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { watchOver } from './reaper.ts';

/** A running part. An engine that the environment names has no process here. */
export interface Running {
  readonly pid: number | undefined;
  /** Resolves when the process has ended, with or without an error. */
  readonly exited: Promise<void>;
  /** Ends it with SIGTERM, and with SIGKILL after a few seconds. */
  stop(): Promise<void>;
  /** kill -9, as a crash would. */
  kill(): Promise<void>;
}

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** The output is appended to this file; its folder is created. */
  readonly logFile: string;
  /** How long it may take to end after SIGTERM. */
  readonly graceMs?: number;
}

export function launch({
  command,
  args,
  env = process.env,
  cwd,
  logFile,
  graceMs = 10_000,
}: Launch): Running {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  // Its own process group: Ctrl-C then reaches only this process, and a signal to the group reaches its children too.
  const child = spawn(command, args, {
    env,
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  const { pid } = child;
  const release = pid === undefined ? undefined : watchOver(pid);
  const exited = new Promise<void>((resolve) => {
    const ended = () => {
      release?.();
      resolve();
    };
    child.once('exit', ended);
    child.once('error', ended);
  });
  const end = async (signal: NodeJS.Signals) => {
    if (pid !== undefined && child.exitCode === null && child.signalCode === null) signalGroup(pid, signal);
    await exited;
  };
  return {
    pid,
    exited,
    kill: () => end('SIGKILL'),
    stop: async () => {
      const timer = delay(graceMs, 'late', { ref: false });
      if ((await Promise.race([end('SIGTERM'), timer])) === 'late') await end('SIGKILL');
    },
  };
}

/**
 * Runs a command to its end.
 * @param options `both`: include standard error in the output
 * @returns its standard output
 * @throws Error with its standard error
 */
export async function run(
  command: string,
  args: readonly string[],
  options: {
    cwd?: string;
    env?: NodeJS.ProcessEnv;
    show?: boolean;
    both?: boolean;
    signal?: AbortSignal;
  } = {},
): Promise<string> {
  const child = spawn(command, args, {
    ...options,
    stdio: ['ignore', 'pipe', options.show === true ? 'inherit' : 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    if (options.show === true) process.stderr.write(chunk);
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk.toString();
    if (options.both === true) out += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0)
    throw new Error(`${command} ${args[0] ?? ''} ended with ${code}: ${err.trim().slice(-500)}`);
  return out;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
