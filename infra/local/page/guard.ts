/**
 * Who may talk to the page: the page itself, in a browser of this machine. It can stop engines and erase patients, so
 * a web page of somebody else must neither drive it nor read from it, also not by a name that it points at 127.0.0.1.
 */
import type { MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';

const READING = new Set(['GET', 'HEAD']);

/**
 * @param port where the page listens: the only names under which it answers are 127.0.0.1 and localhost with it (DNS
 * rebinding brings another name). A change must come from a page of that very origin; nothing allows another to read.
 */
export function guard(port: number): MiddlewareHandler {
  const hosts = new Set([`127.0.0.1:${port}`, `localhost:${port}`]);
  return async (call, next) => {
    const host = call.req.header('host') ?? '';
    if (!hosts.has(host)) return call.text(`This page answers to 127.0.0.1:${port} only.\n`, 421);
    const origin = call.req.header('origin');
    const isOwn = origin === `http://${host}`;
    const isReading = READING.has(call.req.method);
    if (isReading ? origin !== undefined && !isOwn : !isOwn) return call.text(ELSEWHERE, 403);
    // A link may lead here; a script, a frame or a form of another origin, on another port too, may not.
    const site = call.req.header('sec-fetch-site');
    const isVisit = isReading && call.req.header('sec-fetch-dest') === 'document';
    if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isVisit)
      return call.text(ELSEWHERE, 403);
    return next();
  };
}

const ELSEWHERE = 'Only the page itself may ask this.\n';

/** Text of patients and files is shown: nothing in it can become code, and nothing is loaded from elsewhere. */
export const pageHeaders = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
    requireTrustedTypesFor: ["'script'"],
  },
  crossOriginResourcePolicy: 'same-origin',
  referrerPolicy: 'no-referrer',
  strictTransportSecurity: false,
});
