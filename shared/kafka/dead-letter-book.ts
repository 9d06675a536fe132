/**
 * The open dead letters of a topic. Kafka cannot remove a single message from a topic, so an operator's decision is
 * appended as a resolution in the same partition that names the dead letter's offset. Once everything up to an offset is
 * resolved, it is deleted for good. A message that is neither a resolution nor a letter in this service's format is
 * listed as unreadable.
 */
import { parseTimestamp } from '../platform/clock.ts';
import { readNumber, readReason, textOf, type DeadLetterReason } from './dead-letters.ts';
import type { Admin, IncomingMessage, KafkaClient, OutgoingMessage } from './ports.ts';
import type { Publisher } from './publish.ts';
import { readTopic } from './read-topic.ts';
import { deadLetterTopicOf } from './topics.ts';

/** A message in a dead-letter topic that nobody has resolved. */
export interface DeadLetter {
  /** The message in the dead-letter topic. */
  readonly message: IncomingMessage;
  /** Undefined for a message that is not in this service's dead-letter format. */
  readonly reason: DeadLetterReason | undefined;
}

const resolutions = ['replayed', 'dropped'] as const;
/** What an operator did with a dead letter. */
export type Resolution = (typeof resolutions)[number];

/** The open dead letters of one topic, as far as they have been read. */
export interface DeadLetterBook {
  /**
   * Reads the messages appended since the last call.
   * @param admin a connection to use; without one, it opens its own
   * @throws ServiceError `kafka.unavailable`
   */
  refresh(admin?: Admin): Promise<void>;
  /** Oldest first within a partition. */
  open(): readonly DeadLetter[];
  /** Deletes from each partition of the dead-letter topic what was read up to its first open letter. */
  prune(admin: Admin): Promise<void>;
}

const OF = 'dlq-resolved-offset';
const HOW = 'dlq-resolution';
const AT = 'dlq-resolved-at';

/**
 * @param topic the consumed topic whose dead letters the book lists
 * @param values false to drop the messages' values when they are only counted: thousands of large letters fill the memory
 */
export function openDeadLetterBook(
  client: KafkaClient,
  topic: string,
  readerGroup: string,
  { values = true } = {},
): DeadLetterBook {
  const letters = new Map<string, DeadLetter>();
  let from = new Map<number, bigint>();
  let reading: Promise<void> | undefined;
  const note = (message: IncomingMessage) => {
    const resolved = resolvedBy(message);
    if (resolved !== undefined) {
      letters.delete(`${message.partition}/${resolved}`);
      return;
    }
    const reason = readReason(message.headers, topic);
    const kept = values ? message : { ...message, key: null, value: null, headers: {} };
    letters.set(`${message.partition}/${message.offset}`, { message: kept, reason });
  };
  /** Another book may prune a letter together with its resolution before this book has read the resolution. */
  const forget = (partition: number, before: bigint) => {
    for (const [place, { message }] of letters) {
      if (message.partition === partition && message.offset < before) letters.delete(place);
    }
  };
  async function read(admin: Admin | undefined): Promise<void> {
    from = await readTopic(client, deadLetterTopicOf(topic), {
      group: readerGroup,
      admin,
      from,
      onBeginning: forget,
      onMessage: note,
      onUnreadable: (partition, { offset }) =>
        note({
          topic: deadLetterTopicOf(topic),
          partition,
          offset,
          timestamp: 0,
          key: null,
          value: null,
          headers: {},
        }),
    });
  }
  const open = () => [...letters.values()].sort(byPlace);
  return {
    refresh: (admin) => (reading ??= read(admin).finally(() => (reading = undefined))),
    open,
    async prune(admin) {
      const dead = open();
      for (const [partition, end] of from) {
        const first = dead.find(({ message }) => message.partition === partition)?.message.offset ?? end;
        if (first > 0n) await admin.deleteBefore(deadLetterTopicOf(topic), partition, first);
      }
    },
  };
}

/** Appends an operator's decision on a dead letter. @throws ServiceError `kafka.unavailable` */
export async function resolve(
  publisher: Publisher,
  { message }: DeadLetter,
  how: Resolution,
  now: Date,
): Promise<void> {
  const resolution: OutgoingMessage = {
    topic: message.topic,
    partition: message.partition,
    // Not the letter's key: it may be so large that the resolution would be refused.
    key: null,
    value: null,
    headers: { [OF]: String(message.offset), [HOW]: how, [AT]: now.toISOString() },
  };
  await publisher.publish([resolution]);
}

/**
 * The offset that a resolution resolves; undefined for any other message. A dead letter cannot pass for a resolution: it
 * carries its origin, and all its `dlq-*` headers are written by this service.
 */
function resolvedBy({ headers, value, offset }: IncomingMessage): bigint | undefined {
  const isOurs =
    value === null &&
    Object.keys(headers).length === 3 &&
    (resolutions as readonly (string | undefined)[]).includes(textOf(headers, HOW)) &&
    parseTimestamp(textOf(headers, AT) ?? '') !== undefined;
  const resolved = isOurs ? readNumber(textOf(headers, OF) ?? '') : undefined;
  return resolved !== undefined && resolved < offset ? resolved : undefined;
}

function byPlace({ message: a }: DeadLetter, { message: b }: DeadLetter): number {
  return a.partition - b.partition || Number(a.offset - b.offset);
}
