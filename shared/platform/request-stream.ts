/**
 * Keeps functions-framework from reading a request before its function is called. Its five body parsers read up to 1
 * GB into memory, and its router decodes the path; both answer a faulty request with a page of their own. So a
 * request's path is `/` and two of its headers are removed until then: without them the parsers see no body.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';

const targets = new WeakMap<IncomingMessage, string>();

/** Works for every HTTP server of this process, before its own listeners run. */
export function hideRequests(): void {
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

/** Gives a hidden request its path and query back. */
export function revealTarget(request: IncomingMessage): void {
  request.url = targets.get(request) ?? request.url ?? '/';
}
