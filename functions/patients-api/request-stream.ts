/**
 * Keeps request bodies out of functions-framework's hands. Its five parsers run before any function, read up to
 * 1 GB into memory and answer faulty bodies themselves, with an HTML page. They take a request for one without a
 * body when it has neither of two headers, so these are hidden from them; the stream stays unread for the
 * application, which reads the headers as they were received (`rawHeaders`).
 */
import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';

/** For every HTTP server of this process, before its own listeners run. */
export function leaveBodiesUnread(): void {
  // https://nodejs.org/docs/latest-v24.x/api/diagnostics_channel.html#http
  subscribe('http.server.request.start', (message) => {
    const { headers } = (message as { request: IncomingMessage }).request;
    delete headers['content-length'];
    delete headers['transfer-encoding'];
  });
}
