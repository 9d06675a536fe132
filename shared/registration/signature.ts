/**
 * The optional signature of a registration file (docs/domain.md#signed-files). It protects the import even from somebody
 * who can write into the bucket.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { parseTimestamp, type Instant } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { isRecord, violationsOf } from '../patient/read.ts';
import { compactJson } from './compact-json.ts';

const MAX_SKEW_MS = 24 * 3600 * 1000;

const signedFile = z.looseObject({
  signature: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits'),
  signature_version: z.literal('hmac-sha256-v1'),
  timestamp: z
    .string()
    .refine((value) => parseTimestamp(value) !== undefined, 'must be a date-time as in RFC 3339'),
  type: z.string(),
  environment: z.string(),
  data: z.looseObject({}),
});

/** How signatures are checked in this environment. */
export interface SignatureRules {
  /** Undefined: files must be unsigned. */
  readonly key: string | undefined;
  readonly environment: string;
}

/**
 * Verifies the signature, if one is required, and extracts the registration.
 * @param text the file as written
 * @param content the same, parsed
 * @param uploadedAt the object's own time, so that an outage does not make a signature expire
 * @returns the registration, not yet validated, and the JSON pointer to it
 * @throws ServiceError `import.unsigned`, `import.signature_*`, `import.environment_mismatch`, `import.invalid`
 */
export function verifiedRegistration(
  text: string,
  content: unknown,
  rules: SignatureRules,
  uploadedAt: Instant,
): { readonly registration: unknown; readonly at: string } {
  const signed = isSigned(content);
  if (rules.key === undefined) {
    if (signed) throw new ServiceError('import.signature_unexpected');
    return { registration: content, at: '' };
  }
  if (!signed) throw new ServiceError('import.unsigned');
  const parsed = signedFile.safeParse(content);
  if (!parsed.success) throw new ServiceError('import.invalid', { violations: violationsOf(parsed.error) });

  const { signature, timestamp, environment, data } = parsed.data;
  const expected = createHmac('sha256', rules.key)
    .update(compactJson(text, ['signature', 'signature_version']))
    .digest();
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex')))
    throw new ServiceError('import.signature_invalid');
  if (environment !== rules.environment) throw new ServiceError('import.environment_mismatch');
  const signedAt = parseTimestamp(timestamp)?.epochMilliseconds ?? Number.NaN;
  if (Math.abs(signedAt - uploadedAt.epochMilliseconds) > MAX_SKEW_MS) {
    throw new ServiceError('import.signature_expired');
  }
  return innermost(data);
}

function isSigned(content: unknown): content is Record<string, unknown> {
  return (
    isRecord(content) && (Object.hasOwn(content, 'signature') || Object.hasOwn(content, 'signature_version'))
  );
}

function innermost(data: Record<string, unknown>): { registration: unknown; at: string } {
  return Object.hasOwn(data, 'data')
    ? { registration: data['data'], at: '/data/data' }
    : { registration: data, at: '/data' };
}
