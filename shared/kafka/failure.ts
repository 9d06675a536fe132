/**
 * Classifies failures of the Kafka client: retries help in an outage, but not when the broker or the client refuses a
 * message. kafkajs wraps errors several times and marks some as final that are not, so the chain of causes decides.
 */
import { ServiceError, type ErrorCode } from '../platform/errors.ts';

/** Protocol errors with which a broker refuses a message or a batch because of its size. */
const tooLarge = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);
/** Protocol errors that concern the message itself. kafkajs would retry one of them. */
const invalidMessage = new Set([
  'CORRUPT_MESSAGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
]);
/** Names of the errors that kafkajs throws when a broker cannot be reached. */
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
 * Converts the failure to a ServiceError: `event.too_large` when a message is too large, `kafka.unavailable` in an
 * outage, and `fault` for everything else, such as a TypeError while a message is encoded.
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
    // Any other error from the broker concerns the whole topic, such as a missing permission: giving up single messages
    // because of it would lose them.
    (typeof type === 'string' && String(name).startsWith('KafkaJS')) ||
    // "The producer is disconnected" and similar errors have only the generic name.
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
