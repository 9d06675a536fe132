/**
 * Preloaded into the deployables of the local stack, so that a server without an address listens on loopback only. In
 * production they listen on every address of their container, which on a laptop would expose them to its networks.
 */
import { Server, type ListenOptions } from 'node:net';
import { HOST } from './ports.ts';

const prototype = Server.prototype as unknown as { listen: (...args: unknown[]) => Server };
const { listen } = prototype;

prototype.listen = function listenOnLoopback(this: Server, ...args: unknown[]): Server {
  return listen.apply(this, withHost(args));
};

/** https://nodejs.org/docs/latest-v24.x/api/net.html#serverlisten */
function withHost([first, ...rest]: readonly unknown[]): unknown[] {
  if (typeof first === 'number' || (typeof first === 'string' && /^\d+$/.test(first)))
    return typeof rest[0] === 'string' ? [first, ...rest] : [first, HOST, ...rest];
  const options = first as ListenOptions | null | undefined;
  return typeof options === 'object' && options !== null && options.port !== undefined
    ? [{ host: HOST, ...options }, ...rest]
    : [first, ...rest];
}
