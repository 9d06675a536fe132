/**
 * Reads the JSON body of a plain Node request, with limits on size and time. For functions that run under
 * functions-framework with its own parsers disabled (request-stream.ts). No part of a body gets into a log or a response.
 */
import type { IncomingMessage } from 'node:http';
import { ServiceError } from './errors.ts';

/** Size of a body at most: 1 MiB. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** Time that a sender has for the whole body: 10 s. */
export const BODY_WITHIN_MS = 10_000;
/** After a refusal, read this much more before cutting the connection, so that the sender can read the response. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

/**
 * Reads and parses the body.
 * @returns undefined when there is no body
 * @throws ServiceError `request.unsupported_media_type`, `request.too_large`, `request.malformed_json`,
 * `request.body_timed_out`
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const bytes = await readBytes(request);
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    // No cause: the parser's message quotes the body.
    throw new ServiceError('request.malformed_json');
  }
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const coding = request.headers['content-encoding'] ?? 'identity';
  const refusal =
    coding.trim().toLowerCase() === 'identity'
      ? Number(announcedLength(request)) > MAX_BODY_BYTES && new ServiceError('request.too_large')
      : new ServiceError('request.unsupported_media_type');
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  let refused = false;

  const refuse = (error: ServiceError) => {
    refused = true;
    chunks.length = 0;
    reject(error);
  };
  const timer = setTimeout(() => {
    refuse(new ServiceError('request.body_timed_out'));
    // Give the response 1 s to go out first.
    setTimeout(() => request.destroy(), 1000).unref();
  }, BODY_WITHIN_MS);
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (!refused && size > MAX_BODY_BYTES) refuse(new ServiceError('request.too_large'));
    if (!refused) chunks.push(chunk);
    else if (size > MAX_UNREAD_BYTES) request.destroy();
  });
  request.on('end', () => resolve(Buffer.concat(chunks)));
  // The connection was cut, so nobody can read a response.
  request.on('error', () => refuse(new ServiceError('request.malformed_json')));
  request.on('close', () => {
    clearTimeout(timer);
    if (!request.complete) refuse(new ServiceError('request.malformed_json'));
  });
  if (refusal !== false) refuse(refusal);
  return promise;
}

/** Reads the raw headers, because request-stream.ts removes the parsed one. */
function announcedLength({ rawHeaders }: IncomingMessage): string | undefined {
  const at = rawHeaders.findIndex((name, index) => index % 2 === 0 && /^content-length$/i.test(name));
  return at === -1 ? undefined : rawHeaders[at + 1];
}
