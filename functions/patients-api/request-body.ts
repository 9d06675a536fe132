/** Reads a request's JSON body. Checks type, size and encoding before parsing. */
import { MIMEType } from 'node:util';
import { ServiceError } from '../../shared/platform/errors.ts';
import { BODY_WITHIN_MS, MAX_BODY_BYTES } from '../../shared/platform/request-json.ts';

export interface JsonBody {
  readonly bytes: Uint8Array;
  readonly json: unknown;
}

/**
 * Reads and parses the body.
 * @throws ServiceError `request.unsupported_media_type`, `request.too_large`, `request.malformed_json`,
 * `request.body_timed_out`
 */
export async function readJsonBody(request: Request): Promise<JsonBody> {
  refuseOtherTypes(request.headers);
  const bytes = await readBytes(request);
  return { bytes, json: parse(bytes) };
}

/** Like {@link readJsonBody}, but a missing body counts as an empty object. */
export async function readOptionalJsonBody(request: Request): Promise<JsonBody> {
  const bytes = await readBytes(request);
  if (bytes.length === 0) return { bytes, json: {} };
  refuseOtherTypes(request.headers);
  return { bytes, json: parse(bytes) };
}

function refuseOtherTypes(headers: Headers): void {
  const coding = (headers.get('content-encoding') ?? '').toLowerCase() || 'identity';
  if (!isJsonInUtf8(headers.get('content-type') ?? '') || coding !== 'identity')
    throw new ServiceError('request.unsupported_media_type');
}

function isJsonInUtf8(contentType: string): boolean {
  try {
    const { essence, params } = new MIMEType(contentType);
    return essence === 'application/json' && /^utf-?8$/i.test(params.get('charset') ?? 'utf-8');
  } catch {
    return false;
  }
}

/** Reads the body and stops waiting after 10 s. */
async function readBytes(request: Request): Promise<Uint8Array> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new ServiceError('request.body_timed_out')), BODY_WITHIN_MS);
  try {
    return await Promise.race([late, collectBytes(request)]);
  } finally {
    clearTimeout(timer);
  }
}

async function collectBytes(request: Request): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  // A chunked body announces no length, so count the bytes as they arrive and stop at the limit.
  try {
    for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    // The connection was cut, so nobody can read the response. It is no fault of ours.
    throw error instanceof ServiceError ? error : new ServiceError('request.malformed_json');
  }
  return Buffer.concat(chunks);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    // No cause: the parser's message quotes the text.
    throw new ServiceError('request.malformed_json');
  }
}

function tooLarge(): ServiceError {
  return new ServiceError('request.too_large');
}
