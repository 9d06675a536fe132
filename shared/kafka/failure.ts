/**
 * What a failure of the Kafka client means. kafkajs wraps errors several times and calls some of them
 * final that are not, so only the chain of causes is asked.
 */
import { ServiceError } from '../platform/errors.ts';

/** Protocol errors by which a broker refuses a message or a batch for its size. */
const tooLarge = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

export function isTooLarge(error: unknown): boolean {
  return causes(error).some((cause) => tooLarge.has(String((cause as { type?: unknown }).type)));
}

/** Anything but a size is a matter of reachability, rights or configuration: waiting may help, dropping never does. */
export function unavailable(error: unknown): ServiceError {
  return error instanceof ServiceError ? error : new ServiceError('kafka.unavailable', { cause: error });
}

function causes(error: unknown): object[] {
  const chain: object[] = [];
  // Bounded: a cause may point back at its error.
  while (typeof error === 'object' && error !== null && chain.length < 10) {
    chain.push(error);
    error = (error as { cause?: unknown }).cause;
  }
  return chain;
}
