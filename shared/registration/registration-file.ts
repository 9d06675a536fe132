/**
 * Parses a registration file (docs/domain.md#registration-files): encoding, JSON, signature, rules. It reports all
 * violations of a file together; none of them contains a value.
 */
import { z } from 'zod';
import { identifyingPairs } from '../patient/identity.ts';
import { isRecord, readPatientFields, violationsOf } from '../patient/read.ts';
import { paymentReference, registrationPatientSchema, type NewPatient } from '../patient/schema.ts';
import { berlinDateOf, parseTimestamp, type Instant } from '../platform/clock.ts';
import { ServiceError, type Violation } from '../platform/errors.ts';
import { isNestedAtMost, MAX_LEVELS } from '../platform/nesting.ts';
import { hashToken, type TokenHash } from '../store/registration-tokens.ts';
import { verifiedRegistration, type SignatureRules } from './signature.ts';

/** Size of a file at most, both as stored and as unpacked: 1 MiB. */
export const MAX_FILE_BYTES = 1024 * 1024;
const MAX_CONSENT_BYTES = 16 * 1024;

/** Keys that the website still writes, but nothing reads. */
const LEGACY_KEYS: ReadonlySet<string> = new Set(['hat_ptv11', 'diagnose']);

const TOKEN = /^[0-9a-fA-F]{8,64}$/;

const wrapper = z.strictObject({
  patient_data: z.looseObject({}),
  consent_metadata: z
    .looseObject({})
    .refine((value) => isNestedAtMost(value, MAX_LEVELS), {
      error: `must be nested at most ${MAX_LEVELS} levels deep`,
      abort: true,
    })
    .refine(
      (value) => Buffer.byteLength(JSON.stringify(value)) <= MAX_CONSENT_BYTES,
      'must have at most 16 KiB',
    ),
  registration_timestamp: z
    .string()
    .refine((value) => parseTimestamp(value) !== undefined, 'must be a date-time')
    .nullish(),
  registration_token: z.string().regex(TOKEN, 'must have 8 to 64 hexadecimal characters'),
});

/** A valid registration. */
export interface RegistrationFile {
  readonly patient: NewPatient;
  readonly tokenHash: TokenHash;
  /** Pairs of values that identify the person (shared/patient/identity.ts). */
  readonly pairs: readonly string[];
  readonly consentMetadata: Readonly<Record<string, unknown>>;
  readonly registrationTimestamp: string | null;
}

/** A refused file. Its token and identifying pairs, as far as they could be read, still tell whose file it is. */
export interface RefusedFile {
  readonly error: ServiceError;
  readonly tokenHash: TokenHash | null;
  readonly pairs: readonly string[];
}

/**
 * Parses the bytes of a file. Never throws: every fault becomes a RefusedFile.
 * @param uploadedAt a signature's age is measured up to this instant
 * @param now dates of the patient must not be later
 */
export function readRegistrationFile(
  bytes: Buffer,
  rules: SignatureRules,
  uploadedAt: Instant,
  now: Instant,
): RegistrationFile | RefusedFile {
  let content: unknown;
  try {
    const text = decode(bytes);
    content = parse(text);
    const { registration, at } = verifiedRegistration(text, content, rules, uploadedAt);
    return readRegistration(registration, at, now);
  } catch (error) {
    // Parsing is pure, so any other error comes from the file too, such as a stack overflow by nested arrays.
    const refusal = error instanceof ServiceError ? error : malformed('is nested too deeply');
    return { error: refusal, tokenHash: tokenWithin(content), pairs: pairsWithin(content) };
  }
}

function decode(bytes: Buffer): string {
  if (bytes.length > MAX_FILE_BYTES) throw new ServiceError('import.too_large');
  if (bytes.length === 0) throw malformed('is empty');
  if (bytes.subarray(0, 3).equals(Buffer.of(0xef, 0xbb, 0xbf)))
    throw malformed('begins with a byte order mark');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed('is not encoded in UTF-8');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No cause: the parser's message quotes the text.
    throw malformed('is not complete, valid JSON');
  }
}

function malformed(detail: string): ServiceError {
  return new ServiceError('import.malformed_json', { violations: [{ pointer: '', detail }] });
}

function readRegistration(registration: unknown, at: string, now: Instant): RegistrationFile {
  const parsed = wrapper.safeParse(registration);
  const patientData = isRecord(registration) ? registration['patient_data'] : undefined;
  const patient = readPatientFields(
    registrationPatientSchema,
    withoutLegacyKeys(patientData),
    berlinDateOf(now),
    `${at}/patient_data`,
  );
  const wrapperViolations = parsed.success ? [] : violationsOf(parsed.error, at);
  const violations = distinct([...wrapperViolations, ...(patient.ok ? [] : patient.violations)]);
  if (!parsed.success || !patient.ok || violations.length > 0) throw refusal(violations, registration, at);

  const token = parsed.data.registration_token;
  return {
    patient: {
      ...patient.value,
      vertraege_unterschrieben: true,
      zahlung_eingegangen: false,
      zahlungsreferenz: paymentReference.parse(token.slice(0, 8)),
    },
    tokenHash: hashToken(token),
    pairs: identifyingPairs(patient.value),
    consentMetadata: parsed.data.consent_metadata,
    registrationTimestamp: parsed.data.registration_timestamp ?? null,
  };
}

function refusal(violations: readonly Violation[], registration: unknown, at: string): ServiceError {
  const onlyToken = violations.every((violation) => violation.pointer === `${at}/registration_token`);
  const missing = isRecord(registration) && (registration['registration_token'] ?? '') === '';
  return new ServiceError(onlyToken && missing ? 'import.token_missing' : 'import.invalid', { violations });
}

function withoutLegacyKeys(patientData: unknown): unknown {
  if (!isRecord(patientData)) return patientData;
  return Object.fromEntries(Object.entries(patientData).filter(([key]) => !LEGACY_KEYS.has(key)));
}

function distinct(violations: readonly Violation[]): Violation[] {
  return [
    ...new Map(violations.map((violation) => [violation.pointer + violation.detail, violation])).values(),
  ];
}

/** The token of a refused file; null when it has no valid one. */
function tokenWithin(content: unknown): TokenHash | null {
  const token = levelsOf(content)
    .map((level) => level['registration_token'])
    .find((value) => typeof value === 'string' && TOKEN.test(value));
  return token === undefined ? null : hashToken(token as string);
}

/** The identifying pairs of a refused file. */
function pairsWithin(content: unknown): string[] {
  return [...new Set(levelsOf(content).flatMap((level) => identifyingPairs(level['patient_data'])))];
}

/** All objects that may be the registration: signed files hold it in `data` or `data.data`. */
function levelsOf(content: unknown): Record<string, unknown>[] {
  const levels: Record<string, unknown>[] = [];
  for (let level = content; levels.length < 3 && isRecord(level); level = level['data']) levels.push(level);
  return levels;
}
