/**
 * What a failure of the Kafka client means: an outage passes by waiting, a message that the broker or the client
 * refuses does not. kafkajs wraps errors several times and calls some of them final that are not, so only the
 * chain of causes is asked.
 */
import { ServiceError, type ErrorCode } from '../platform/errors.ts';

/** Protocol errors by which a broker refuses a message or a batch for its size. */
const tooLarge = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);
/** Protocol errors that are about the message, although kafkajs would repeat one of them. */
const invalidMessage = new Set([
  'CORRUPT_MESSAGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
]);
/** What kafkajs throws when a broker, or what leads to it, is away. */
const outages = new Set([
  'KafkaJSBrokerNotFound',
  'KafkaJSConnectionClosedError',
  'KafkaJSConnectionError',
  'KafkaJSDeleteGroupsError',
  'KafkaJSDeleteTopicRecordsError',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSSASLAuthenticationError',
  'KafkaJSStaleTopicMetadataAssignment',
  'KafkaJSTimeout',
  'KafkaJSTopicMetadataNotLoaded',
]);

/**
 * The failure as an error of ours: `event.too_large` for a message of that kind, `kafka.unavailable` for an
 * outage, and `fault` for all else, such as a TypeError while a message is encoded.
 */
export function failureOf(error: unknown, fault: ErrorCode): ServiceError {
  if (error instanceof ServiceError) return error;
  const chain = causes(error);
  const has = (types: ReadonlySet<string>) => chain.some(({ type }) => types.has(String(type)));
  const code = has(tooLarge)
    ? 'event.too_large'
    : has(invalidMessage) || !chain.some(isOutage)
      ? fault
      : 'kafka.unavailable';
  return new ServiceError(code, { cause: error });
}

interface Cause {
  readonly name?: unknown;
  readonly type?: unknown;
  readonly syscall?: unknown;
  readonly retriable?: unknown;
}

function isOutage({ name, type, syscall, retriable }: Cause): boolean {
  return (
    outages.has(String(name)) ||
    // The broker answers with an error. It is about the whole topic, such as a right that is missing: to give up single
    // messages for that would lose them.
    (typeof type === 'string' && String(name).startsWith('KafkaJS')) ||
    // "The producer is disconnected" and the like have no name of their own.
    (name === 'KafkaJSError' && retriable === true) ||
    // Node's own errors of the network.
    typeof syscall === 'string'
  );
}

function causes(error: unknown): Cause[] {
  const chain: Cause[] = [];
  // Bounded: a cause may point back at its error.
  while (typeof error === 'object' && error !== null && chain.length < 10) {
    chain.push(error);
    error = (error as { cause?: unknown }).cause;
  }
  return chain;
}
