/**
 * The probes of the worker: `/livez` says whether it still polls and relays, `/readyz` whether it has begun to.
 * A worker that is not alive should be restarted. An unavailable dependency does not make it dead.
 */
import { createServer, type Server } from 'node:http';
import type { ConsumerState } from '../../shared/kafka/consumer.ts';
import type { RelayState } from './relay/relay.ts';

/** Health of the loops, each by name. */
export type Probe = () => Readonly<Record<string, boolean>>;

/** Longer than a healthy consumer goes without a poll. */
const SILENT_AFTER_MS = 180_000;
/** Longer than a loop of the relay waits: 16 shards send one after another, and a broker may be slow to answer. */
const STUCK_AFTER_MS = 600_000;

/**
 * A consumer is alive while it polls. A consumer that has lost Kafka is alive too: it keeps retrying, and a restart would
 * not help.
 */
export function isAlive(state: ConsumerState, now: number): boolean {
  return !state.connected || (state.lastPollAt !== undefined && now - state.lastPollAt < SILENT_AFTER_MS);
}

/** A relay is alive while its loops keep running, also on a stand-by. @param now milliseconds since the epoch */
export function isTurning({ lastTurnAt }: Pick<RelayState, 'lastTurnAt'>, now: number): boolean {
  return now - lastTurnAt < STUCK_AFTER_MS;
}

/** Starts the server of the probes. It answers until it is closed. */
export async function serveProbes(port: number, probes: Readonly<Record<string, Probe>>): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const probe = Object.hasOwn(probes, path) ? probes[path] : undefined;
    if (probe === undefined) {
      response.writeHead(404).end();
      return;
    }
    const parts = probe();
    const status = Object.values(parts).every(Boolean) ? 200 : 503;
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(parts)}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, resolve);
  });
  return server;
}
