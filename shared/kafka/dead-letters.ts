/**
 * Dead letters: messages that can never be applied, kept with the reason in `<topic>.dlq`. The key, the value
 * and the original headers stay unchanged as far as Kafka accepts them; the reason is a code and a sentence with ids,
 * never a value. Only this module and dead-letter-book.ts write `dlq-*` headers, but they validate what they read: other
 * producers may be able to write to the topic.
 */
import { parseTimestamp } from '../platform/clock.ts';
import { fateOf, isServiceError, type ErrorCode, type ServiceError } from '../platform/errors.ts';
import type { Headers, IncomingMessage, OutgoingMessage } from './ports.ts';
import type { Publisher } from './publish.ts';
import { deadLetterTopicOf } from './topics.ts';

/** Why a message could not be applied. */
export interface Failure {
  readonly code: ErrorCode;
  readonly attempts: number;
  readonly error: unknown;
}

/** Where a dead letter came from and why it could not be applied. */
export interface DeadLetterReason {
  /** Where the message stands in the consumed topic. */
  readonly origin: { readonly topic: string; readonly partition: number; readonly offset: bigint };
  readonly errorClass: string;
  readonly errorMessage: string;
  readonly attempts: number;
  /** RFC 3339. */
  readonly failedAt: string;
  /** Parts that could not be kept: the consumed topic still has them at the origin. */
  readonly omitted: readonly Part[];
}

const parts = ['headers', 'value', 'key'] as const;
type Part = (typeof parts)[number];

/** Parts to omit at each attempt: none first, then more and more. The last attempt is small and holds no foreign data. */
const ladder = parts.map((_, rung) => parts.slice(0, rung)).concat([[...parts]]);

const PREFIX = 'dlq-';

/** How a dead letter was kept. */
interface Kept {
  /** False when not even a letter without headers, value and key could be written. */
  readonly written: boolean;
  readonly omitted: readonly Part[];
  /** Why parts were omitted. */
  readonly error: ServiceError | undefined;
}

/**
 * Writes a dead letter, whole or in part. Resolves when it is acknowledged, or when even the smallest form was refused.
 * @throws ServiceError `kafka.unavailable`
 */
export async function writeDeadLetter(
  publisher: Publisher,
  message: IncomingMessage,
  failure: Failure,
  failedAt: Date,
): Promise<Kept> {
  let error: ServiceError | undefined;
  for (const omitted of ladder) {
    try {
      await publisher.publish([deadLetterOf(message, failure, failedAt, omitted)]);
      return { written: true, omitted, error };
    } catch (cause) {
      if (!isServiceError(cause, 'event.too_large', 'event.unsendable')) throw cause;
      error = cause;
    }
  }
  return { written: false, omitted: parts, error };
}

function deadLetterOf(
  message: IncomingMessage,
  failure: Failure,
  failedAt: Date,
  omitted: readonly Part[],
): OutgoingMessage {
  const sentence = isServiceError(failure.error, failure.code)
    ? failure.error.message
    : fateOf(failure.code).title;
  const kind =
    failure.code === 'event.handler_failed' && failure.error instanceof Error
      ? failure.error.constructor.name
      : undefined;
  const reason = {
    'origin-topic': message.topic,
    'origin-partition': String(message.partition),
    'origin-offset': String(message.offset),
    'error-class': failure.code,
    'error-message': kind === undefined ? sentence : `${sentence} (${kind})`,
    attempts: String(failure.attempts),
    'failed-at': failedAt.toISOString(),
    ...(omitted.length === 0 ? {} : { omitted: omitted.join(',') }),
    ...(omitted.includes('value') ? { 'omitted-value-bytes': String(message.value?.byteLength ?? 0) } : {}),
  };
  return {
    topic: deadLetterTopicOf(message.topic),
    key: omitted.includes('key') ? null : message.key,
    value: omitted.includes('value') ? null : message.value,
    headers: {
      ...(omitted.includes('headers') ? {} : withoutOurs(message.headers)),
      ...Object.fromEntries(Object.entries(reason).map(([name, value]) => [PREFIX + name, value])),
    },
  };
}

/**
 * The reason in the headers of a dead letter of `topic`; undefined when they are not in this module's format.
 */
export function readReason(headers: Headers, topic: string): DeadLetterReason | undefined {
  const text = (name: string) => textOf(headers, PREFIX + name) ?? '';
  const partition = readNumber(text('origin-partition'), 2n ** 31n);
  const offset = readNumber(text('origin-offset'));
  const attempts = readNumber(text('attempts'), 2n ** 31n);
  const errorClass = text('error-class');
  const failedAt = text('failed-at');
  if (text('origin-topic') !== topic || !/^[a-z_]+(\.[a-z_]+)?$/.test(errorClass)) return undefined;
  if (partition === undefined || offset === undefined || attempts === undefined) return undefined;
  if (failedAt.length > 40 || parseTimestamp(failedAt) === undefined) return undefined;
  const omitted = text('omitted').split(',');
  return {
    origin: { topic, partition: Number(partition), offset },
    errorClass,
    errorMessage: text('error-message'),
    attempts: Number(attempts),
    failedAt,
    omitted: parts.filter(
      // Letters written before November 2026 have only the size.
      (part) => omitted.includes(part) || (part === 'value' && text('omitted-value-bytes') !== ''),
    ),
  };
}

/** A short header as text; undefined when it is missing, has no value or is longer than any that this service writes. */
export function textOf(headers: Headers, name: string): string | undefined {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return value === undefined || value === null || value.length > 250 ? undefined : value.toString();
}

/** Parses a decimal number below `limit`, by default a 64-bit offset; undefined for any other text. */
export function readNumber(text: string, limit = 2n ** 63n): bigint | undefined {
  if (!/^(0|[1-9]\d{0,18})$/.test(text)) return undefined;
  const count = BigInt(text);
  return count < limit ? count : undefined;
}

/** The message's original headers, without those that this service added. */
export function withoutOurs(headers: Headers): Headers {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !name.toLowerCase().startsWith(PREFIX)),
  );
}

/** The original message, to be sent to the topic that it was consumed from. */
export function revived(letter: IncomingMessage, topic: string): OutgoingMessage {
  return { topic, key: letter.key, value: letter.value, headers: withoutOurs(letter.headers) };
}
