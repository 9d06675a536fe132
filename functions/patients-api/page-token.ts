/**
 * Tokens for the next page: the position after which it starts, and a fingerprint of the list. The fingerprint detects
 * tokens of another list and altered ones. It is not a secret and gives no security.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ServiceError } from '../../shared/platform/errors.ts';

const tokenSchema = z.tuple([z.unknown(), z.string()]);

/** Makes a token. @param list identifies the list, for example by its filter */
export function pageToken(position: object, list: readonly unknown[]): string {
  return Buffer.from(JSON.stringify([position, fingerprint(position, list)])).toString('base64url');
}

/** Reads the position from a token of {@link pageToken}. @throws ServiceError `request.invalid_parameter` */
export function readPageToken<T>(token: string, position: z.ZodType<T>, list: readonly unknown[]): T {
  const parsed = tokenSchema.safeParse(decode(token));
  const at = position.safeParse(parsed.data?.[0]);
  if (!at.success || parsed.data?.[1] !== fingerprint(at.data, list)) {
    throw new ServiceError('request.invalid_parameter', {
      violations: [{ pointer: '/page_token', detail: 'is not a page token of this list' }],
    });
  }
  return at.data;
}

function decode(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return undefined;
  }
}

function fingerprint(position: unknown, list: readonly unknown[]): string {
  return createHash('sha256')
    .update(JSON.stringify([position, list]))
    .digest('base64url')
    .slice(0, 16);
}
