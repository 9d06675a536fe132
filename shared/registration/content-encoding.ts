/**
 * Unpacks an object that is stored compressed (`contentEncoding: gzip`). The storage client could do it, but without a
 * limit: half a megabyte can unpack to more memory than the service has.
 */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ServiceError } from '../platform/errors.ts';

const gunzipped = promisify(gunzip);

/** The labels that an archived copy may keep, from https://www.iana.org/assignments/http-parameters. */
const CODINGS: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'deflate', 'compress', 'br', 'zstd']);

/** zlib's errors that are caused by the bytes, not by the process (https://www.zlib.net/manual.html). */
const FAULTS_OF_THE_INPUT: ReadonlySet<string> = new Set(['Z_DATA_ERROR', 'Z_BUF_ERROR', 'Z_NEED_DICT']);

/** The content encoding to keep with a copy; undefined when there is none, several, or one that is not registered. */
export function knownCoding(contentEncoding: string | undefined): string | undefined {
  const [coding, ...others] = codingsOf(contentEncoding);
  return coding !== undefined && others.length === 0 && CODINGS.has(coding) ? coding : undefined;
}

/**
 * Decompresses the bytes. Several gzip members in a row are one file (RFC 1952, 2.2).
 * @param maxBytes limit for the unpacked size
 * @throws ServiceError `import.too_large` beyond the limit, `import.content_encoding` when the bytes are not valid gzip
 */
export async function unpackContent(
  bytes: Buffer,
  contentEncoding: string | undefined,
  maxBytes: number,
): Promise<Buffer> {
  const codings = codingsOf(contentEncoding);
  if (codings.length === 0) return bytes;
  if (codings.length > 1 || !/^(x-)?gzip$/.test(String(codings[0]))) {
    throw unreadable('is stored with a content encoding other than gzip');
  }
  try {
    return await gunzipped(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code);
    if (code === 'ERR_BUFFER_TOO_LARGE') throw new ServiceError('import.too_large', { cause: error });
    if (!FAULTS_OF_THE_INPUT.has(code)) throw error;
    throw unreadable('is said to be gzip, and is not complete, valid gzip');
  }
}

function codingsOf(contentEncoding: string | undefined): string[] {
  return (contentEncoding ?? '')
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
}

function unreadable(detail: string): ServiceError {
  return new ServiceError('import.content_encoding', { violations: [{ pointer: '', detail }] });
}
