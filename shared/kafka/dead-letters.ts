/**
 * Dead letters: messages that can never be applied, kept with the reason in `<topic>.dlq`. The key, the value
 * and the original headers stay as they were; the reason is a code and its title, never a value.
 */
import { fateOf, isServiceError } from '../platform/errors.ts';
import type { Headers, IncomingMessage, OutgoingMessage } from './kafkajs.ts';
import type { Failure } from './partition-work.ts';
import type { Publisher } from './publish.ts';
import { deadLetterTopicOf } from './topics.ts';

/** Where a dead letter came from and why it is one. */
export interface DeadLetterReason {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly errorClass: string;
  readonly errorMessage: string;
  readonly attempts: number;
  readonly failedAt: string;
}

const PREFIX = 'dlq-';
const OMITTED = `${PREFIX}omitted-value-bytes`;

/**
 * Writes a dead letter; resolves when it is acknowledged. One that is too large together with the headers
 * is written without its value: the original topic still has it at the noted offset.
 * @throws ServiceError `kafka.unavailable`
 */
export async function writeDeadLetter(
  publisher: Publisher,
  message: IncomingMessage,
  failure: Failure,
  failedAt: Date,
): Promise<void> {
  const letter = deadLetterOf(message, failure, failedAt);
  try {
    await publisher.publish([letter]);
  } catch (error) {
    if (!isServiceError(error, 'event.too_large')) throw error;
    const size = String(message.value?.byteLength ?? 0);
    const reason = Object.entries(letter.headers ?? {}).filter(([name]) => name.startsWith(PREFIX));
    const headers = { ...Object.fromEntries(reason), [OMITTED]: size };
    await publisher.publish([{ ...letter, value: null, headers }]);
  }
}

function deadLetterOf(message: IncomingMessage, failure: Failure, failedAt: Date): OutgoingMessage {
  const { title } = fateOf(failure.code);
  const kind =
    failure.code === 'event.handler_failed' && failure.error instanceof Error
      ? failure.error.constructor.name
      : undefined;
  return {
    topic: deadLetterTopicOf(message.topic),
    key: message.key,
    value: message.value,
    headers: {
      ...message.headers,
      [`${PREFIX}origin-topic`]: message.topic,
      [`${PREFIX}origin-partition`]: String(message.partition),
      [`${PREFIX}origin-offset`]: String(message.offset),
      [`${PREFIX}error-class`]: failure.code,
      [`${PREFIX}error-message`]: kind === undefined ? title : `${title} (${kind})`,
      [`${PREFIX}attempts`]: String(failure.attempts),
      [`${PREFIX}failed-at`]: failedAt.toISOString(),
    },
  };
}

/** The reason in the headers of a dead letter; undefined where there is none. */
export function readReason(headers: Headers): DeadLetterReason | undefined {
  const text = (name: string) => headers[PREFIX + name]?.toString();
  const topic = text('origin-topic');
  if (topic === undefined) return undefined;
  return {
    topic,
    partition: Number(text('origin-partition')),
    offset: BigInt(text('origin-offset') ?? 0),
    errorClass: text('error-class') ?? '',
    errorMessage: text('error-message') ?? '',
    attempts: Number(text('attempts')),
    failedAt: text('failed-at') ?? '',
  };
}

/** True of a dead letter that only says where its message is, because that was too large. */
export function isValueOmitted({ headers }: IncomingMessage): boolean {
  return Object.hasOwn(headers, OMITTED);
}

/** The message as it was before it died, to be sent to its topic again. */
export function revived(letter: IncomingMessage, topic: string): OutgoingMessage {
  const headers = Object.entries(letter.headers).filter(([name]) => !name.startsWith(PREFIX));
  return { topic, key: letter.key, value: letter.value, headers: Object.fromEntries(headers) };
}
