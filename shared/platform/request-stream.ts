/**
 * Hands each request to the function as it was received. functions-framework does more before it calls the function: its
 * five body parsers read up to 1 GiB into memory, its router decodes the path, and both answer a faulty request with their
 * own error page. So until the function runs, the path is `/` and two headers are hidden; without them the parsers see no
 * body. The framework also opens a domain for each request, see {@link omitDomains}.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import domain from 'node:domain';
import type { IncomingMessage } from 'node:http';

const targets = new WeakMap<IncomingMessage, string>();

/**
 * Keeps functions-framework away from every request to this process. Only for a function that catches its errors itself.
 * May be called repeatedly.
 */
export function bypassFramework(): void {
  hideRequests();
  omitDomains();
}

/** Hides path and body headers before any listener runs. */
function hideRequests(): void {
  // https://nodejs.org/docs/latest-v24.x/api/diagnostics_channel.html#http
  unsubscribe('http.server.request.start', hide);
  subscribe('http.server.request.start', hide);
}

function hide(message: unknown): void {
  const { request } = message as { request: IncomingMessage };
  // The application reads the headers as they were received (`rawHeaders`).
  delete request.headers['content-length'];
  delete request.headers['transfer-encoding'];
  targets.set(request, request.url ?? '/');
  request.url = '/';
}

/** Restores the path and query of a hidden request. */
export function revealTarget(request: IncomingMessage): void {
  request.url = targets.get(request) ?? request.url ?? '/';
}

/**
 * Lets functions-framework call the function without a domain. It opens one for each request to catch errors, and the first
 * one makes every promise of the process slower, by async hooks.
 */
function omitDomains(): void {
  const none = { on: () => none, run: (work: () => unknown) => work() };
  Object.assign(domain, { create: () => none });
}
