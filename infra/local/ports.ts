/**
 * Ports of this machine: free ones, whether one answers, and who owns a busy one.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import getPort, { portNumbers } from 'get-port';
import { run } from './process.ts';

export const HOST = '127.0.0.1';

/**
 * Below the range of outgoing connections (32768 and up), which could take a port before its owner listens. Each worker of
 * a test run has its own range, because two workers looking at the same moment would find the same port.
 */
export function freePort(): Promise<number> {
  const worker = Number(process.env['VITEST_POOL_ID'] ?? 0) % 8;
  const from = 20_000 + 1_500 * worker + Math.floor(Math.random() * 1_000);
  return getPort({ host: HOST, port: portNumbers(from, from + 500) });
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

/** Takes a port until it is released. @throws Error EADDRINUSE */
export async function holdPort(port: number): Promise<() => Promise<void>> {
  const server = createServer().listen(port, HOST);
  await once(server, 'listening');
  return () => new Promise((resolve) => void server.close(() => resolve()));
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
