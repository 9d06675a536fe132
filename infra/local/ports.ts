/**
 * Ports of this machine: free ones, who owns a busy one, and whether one answers yet.
 */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import getPort from 'get-port';
import { run } from './process.ts';

export const HOST = '127.0.0.1';

export function freePort(): Promise<number> {
  return getPort({ host: HOST });
}

/** True when something accepts connections on the port. */
export function isListening(port: number, host = HOST): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 1000 });
    const answer = (listening: boolean) => {
      socket.destroy();
      resolve(listening);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
    socket.once('timeout', () => answer(false));
  });
}

/** Waits until `probe` says true. @throws Error naming `what` once the time is over or `gone` has come first */
export async function waitUntil(
  what: string,
  probe: () => Promise<boolean>,
  { withinMs = 30_000, gone }: { withinMs?: number; gone?: Promise<void> } = {},
): Promise<void> {
  let ended = false;
  const noteEnd = async () => {
    await gone;
    ended = gone !== undefined;
  };
  void noteEnd();
  const deadline = Date.now() + withinMs;
  while (!(await probe().catch(() => false))) {
    if (ended) throw new Error(`${what} ended before it was ready`);
    if (Date.now() > deadline) throw new Error(`${what} was not ready within ${withinMs / 1000} s`);
    await delay(25);
  }
}

/** The owner of a busy port in words, such as `process 4711 (java -cp …)`; undefined when the port is free. */
export async function ownerOf(port: number): Promise<string | undefined> {
  if (!(await isListening(port))) return undefined;
  const pid = (await pidByLsof(port)) ?? (await pidBySs(port));
  if (pid === undefined) return 'another process (of another user, or in a container)';
  const command = await run('ps', ['-o', 'args=', '-p', pid]).catch(() => '');
  return `process ${pid} (${command.trim().slice(0, 80)})`;
}

async function pidByLsof(port: number): Promise<string | undefined> {
  const out = await run('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t']).catch(() => '');
  return /^\d+/.exec(out)?.[0];
}

async function pidBySs(port: number): Promise<string | undefined> {
  const out = await run('ss', ['-Hltnp', `sport = :${port}`]).catch(() => '');
  return /pid=(\d+)/.exec(out)?.[1];
}
