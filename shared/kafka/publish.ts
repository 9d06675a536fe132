/**
 * Publishes messages in order, acknowledged by all in-sync replicas. It connects when it is first used and again after a
 * failure; the caller decides how long to wait for Kafka.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { ServiceError } from '../platform/errors.ts';
import { failureOf } from './failure.ts';
import type { KafkaClient, OutgoingMessage, Producer } from './ports.ts';

/** Sends messages in the order of the calls, one batch at a time. */
export interface Publisher {
  /** Connects ahead of the first message. A failure is ignored: the first message then connects again. */
  connect(): Promise<void>;
  /**
   * Resolves when every message is acknowledged. After a failure some may have been appended; send all of them again:
   * first appearances stay in order, and readers drop the repeats.
   * @param mayStillSend called immediately before each batch is sent, after it has waited for its turn
   * @throws ServiceError `kafka.unavailable` (retriable) in an outage; `event.too_large` when the broker refuses a
   * message for its size, after all messages before it were acknowledged; `event.unsendable` when one of the messages
   * cannot be encoded or is refused for another reason
   */
  publish(messages: readonly OutgoingMessage[], mayStillSend?: () => boolean): Promise<void>;
  close(): Promise<void>;
}

/** A batch must stay below the broker's `message.max.bytes` of 1 MiB even if one partition gets all of it. */
const CHUNK_BYTES = 900 * 1024;
/** Record framing and the usual headers, generously. */
const OVERHEAD_BYTES = 100;

/**
 * @param attempts how often a batch is tried during an outage before `publish` fails
 * @param delayMs the pause after the first failed attempt; it doubles with each further one
 */
export function createPublisher(client: KafkaClient, { attempts = 3, delayMs = 200 } = {}): Publisher {
  let current: Promise<Producer> | undefined;
  let failures = 0;
  const oneAtATime = pLimit(1);

  /**
   * Sends one batch at a time, and never with a producer that has failed: kafkajs gives the sequence numbers of a failed
   * request to the next one. If the failed request was appended after all, the broker would take the next one for a
   * repeat, acknowledge it and discard it.
   */
  function withProducer(
    work: (producer: Producer) => Promise<void>,
    mayStillSend = () => true,
  ): Promise<void> {
    const before = failures;
    return oneAtATime(async () => {
      // Fail with the send before: when a broker does not answer, each waiting send would otherwise take another minute.
      if (failures > before) throw stopped('Another send has failed meanwhile');
      current ??= client.producer();
      const used = current;
      const producer = await orDiscard(used, used);
      // Check after connecting, which may take long.
      if (!mayStillSend()) throw stopped('The sender may not send any more');
      await orDiscard(used, work(producer));
    });
  }

  /** Waits for a step of a producer, and discards the producer when the step fails. */
  async function orDiscard<T>(used: Promise<Producer>, step: Promise<T>): Promise<T> {
    try {
      return await step;
    } catch (error) {
      if (failureOf(error, FAULT).code !== 'event.too_large') failures += 1;
      current = undefined;
      void used.then((producer) => producer.close()).catch(() => undefined);
      throw error;
    }
  }

  async function send(chunk: readonly OutgoingMessage[], mayStillSend: () => boolean): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await withProducer((producer) => producer.send(chunk), mayStillSend);
        return;
      } catch (error) {
        const failure = failureOf(error, FAULT);
        if (failure.code === 'event.too_large') return sendHalves(chunk, mayStillSend, failure);
        if (attempt === attempts) throw failure;
        await sleep(delayMs * 2 ** (attempt - 1));
      }
    }
  }

  /** A topic may be stricter than the broker: only a single message is too large for good. */
  async function sendHalves(
    chunk: readonly OutgoingMessage[],
    mayStillSend: () => boolean,
    failure: ServiceError,
  ): Promise<void> {
    if (chunk.length <= 1) throw failure;
    const middle = Math.ceil(chunk.length / 2);
    await send(chunk.slice(0, middle), mayStillSend);
    await send(chunk.slice(middle), mayStillSend);
  }

  return {
    connect: () => withProducer(async () => {}).catch(() => {}),
    async publish(messages, mayStillSend = () => true) {
      for (const chunk of chunksOf(messages)) await send(chunk, mayStillSend);
    },
    async close() {
      const producer = current;
      current = undefined;
      await (await producer?.catch(() => undefined))?.close();
    },
  };
}

/** The code of failures that are neither outages nor about size: the message, or this service, is at fault. */
const FAULT = 'event.unsendable';

function stopped(detail: string): ServiceError {
  return new ServiceError('kafka.unavailable', { detail });
}

/** Splits the messages into runs that fit a batch; a message larger than a batch gets a run of its own. */
export function chunksOf<M extends OutgoingMessage>(messages: readonly M[], limit = CHUNK_BYTES): M[][] {
  const chunks: M[][] = [];
  let room = 0;
  for (const message of messages) {
    const size = sizeOf(message);
    const last = chunks.at(-1);
    if (last === undefined || size > room) {
      chunks.push([message]);
      room = limit - size;
    } else {
      last.push(message);
      room -= size;
    }
  }
  return chunks;
}

function sizeOf({ key, value, headers = {} }: OutgoingMessage): number {
  const parts = [key, value, ...Object.entries(headers).flat()];
  return OVERHEAD_BYTES + parts.reduce<number>((sum, part) => sum + bytesOf(part), 0);
}

/** A value that is neither text nor bytes counts as 0 bytes: the client refuses it. */
function bytesOf(part: unknown): number {
  return typeof part === 'string' || Buffer.isBuffer(part) ? Buffer.byteLength(part) : 0;
}
