/**
 * Reads the JSON body of a plain Node request, in bounds of size and time. For functions that functions-framework
 * calls, once its own parsers are kept away (request-stream.ts). Nothing of a body reaches a log or an answer.
 */
import type { IncomingMessage } from 'node:http';
import { ServiceError } from './errors.ts';

export const MAX_BODY_BYTES = 1024 * 1024;
/** How long a sender may take for the whole body. */
export const BODY_WITHIN_MS = 10_000;
/** How much a refused sender may still send before the connection is cut, so that it can read the answer. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

/**
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
    // Without the cause: a parser's message quotes the text.
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
    // The answer goes out first.
    setTimeout(() => request.destroy(), 1000).unref();
  }, BODY_WITHIN_MS);
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (!refused && size > MAX_BODY_BYTES) refuse(new ServiceError('request.too_large'));
    if (!refused) chunks.push(chunk);
    else if (size > MAX_UNREAD_BYTES) request.destroy();
  });
  request.on('end', () => resolve(Buffer.concat(chunks)));
  // The connection was cut: nobody can read an answer.
  request.on('error', () => refuse(new ServiceError('request.malformed_json')));
  request.on('close', () => {
    clearTimeout(timer);
    if (!request.complete) refuse(new ServiceError('request.malformed_json'));
  });
  if (refusal !== false) refuse(refusal);
  return promise;
}

/** As it was received: of `headers` it is taken away (request-stream.ts). */
function announcedLength({ rawHeaders }: IncomingMessage): string | undefined {
  const at = rawHeaders.findIndex((name, index) => index % 2 === 0 && /^content-length$/i.test(name));
  return at === -1 ? undefined : rawHeaders[at + 1];
}
