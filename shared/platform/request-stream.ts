/**
 * Keeps requests out of functions-framework's hands until its function is called. Its five body parsers read up to 1 GB
 * into memory, and its router decodes the path; both answer what is faulty with a page of their own. The parsers take a
 * request for one without a body when it has neither of two headers, and `/` needs no decoding.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';

const targets = new WeakMap<IncomingMessage, string>();

/** For every HTTP server of this process, before its own listeners run. */
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
