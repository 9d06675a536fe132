/**
 * Accepts requests from the page itself only, in a browser of this machine. The page can stop engines and erase patients,
 * so another web page must neither control it nor read from it, not even by a name that resolves to 127.0.0.1.
 */
import type { MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';

const READING = new Set(['GET', 'HEAD']);

/**
 * @param port the page's port: it answers only as 127.0.0.1 or localhost with this port (DNS rebinding uses another
 * name). A change must come from a page of the same origin; no other origin may read.
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
    // Links from another origin are allowed; scripts, frames and forms are not. Another port is another origin.
    const site = call.req.header('sec-fetch-site');
    const isVisit = isReading && call.req.header('sec-fetch-dest') === 'document';
    if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isVisit)
      return call.text(ELSEWHERE, 403);
    return next();
  };
}

const ELSEWHERE = 'Only the page itself may ask this.\n';

/** The page shows text of patients and files: none of it may run as code, and nothing loads from another origin. */
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
