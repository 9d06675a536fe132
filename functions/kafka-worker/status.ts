/**
 * Writes the worker's status document every 10 s, whatever the state of Kafka: a value that Kafka does not answer for is
 * written as null, so only a dead worker writes nothing.
 */
import type { Firestore } from '@google-cloud/firestore';
import { openDeadLetterBook, type DeadLetterBook } from '../../shared/kafka/dead-letter-book.ts';
import type { Admin, KafkaClient } from '../../shared/kafka/ports.ts';
import { lagOf, totalLag, type PartitionLag } from '../../shared/kafka/lag.ts';
import { UNREADABLE, type UnreadableReason } from '../../shared/kafka/record-batch.ts';
import { utcTimestamp, type Clock, type UtcTimestamp } from '../../shared/platform/clock.ts';
import { within } from '../../shared/platform/deadline.ts';
import { errorFields, type Log } from '../../shared/platform/log.ts';
import { standingBatches } from '../../shared/store/unreadable-batches.ts';
import {
  readWorkerStatus,
  writeWorkerStatus,
  type GroupStatus,
  type UnreadableStatus,
} from '../../shared/store/worker-status.ts';
import { Temporal } from 'temporal-polyfill';
import { partitionStatuses } from './waiting.ts';

export interface StatusSources {
  readonly client: KafkaClient;
  readonly db: Firestore;
  readonly clock: Clock;
  readonly log: Log;
  /** Group that reads the dead letters. */
  readonly readerGroup: string;
  readonly consumers: readonly {
    readonly topic: string;
    readonly group: string;
    readonly lastPollAt: () => number | undefined;
  }[];
  readonly lastRelayAt: () => number | undefined;
}

const EVERY_MS = 10_000;
/** Give up a request to Kafka after this time, so that the document is written on schedule. */
const ASK_WITHIN_MS = 5_000;

export function reportStatus(sources: StatusSources): { stop(): Promise<void> } {
  const { client, db, clock, log, consumers } = sources;
  const books = consumers.map(({ topic }) =>
    openDeadLetterBook(client, topic, sources.readerGroup, { values: false }),
  );
  let admin: Promise<Admin> | undefined;
  let writing: Promise<void> | undefined;

  async function report(): Promise<void> {
    admin ??= client.admin();
    const [lags, deadLetters] = await Promise.all([askLags(admin), countDeadLetters(books, admin)]);
    try {
      const now = utcTimestamp(clock());
      const before = await readWorkerStatus(db);
      await writeWorkerStatus(db, {
        written_at: now,
        kafka_reachable: lags.some((lag) => lag !== undefined),
        groups: consumers.map(({ topic, group, lastPollAt }, index): GroupStatus => {
          const known =
            before?.groups.find((status) => status.group === group && status.topic === topic)?.partitions ??
            [];
          const lag = lags[index];
          return {
            group,
            topic,
            lag: lag === undefined ? null : totalLag(lag),
            last_poll_at: timestampOf(lastPollAt()),
            partitions: lag === undefined ? known : partitionStatuses(lag, known, now),
          };
        }),
        dead_letters: deadLetters ?? null,
        last_relay_at: timestampOf(sources.lastRelayAt()),
        unreadable: await unreadableNow(lags),
      });
    } catch (error) {
      log.warn('The status could not be written', errorFields(error));
    }
  }

  /** The unreadable batches that partitions are stopped at; null while Firestore does not answer. */
  async function unreadableNow(
    lags: readonly (PartitionLag[] | undefined)[],
  ): Promise<UnreadableStatus[] | null> {
    const known = await inTime(Promise.all(consumers.map(({ group }) => standingBatches(db, group))));
    return (
      known?.flatMap((batches, index) =>
        batches
          .filter(({ partition, offset }) => !isBehind(lags[index], partition, BigInt(offset)))
          .map(({ topic, partition, offset, reason }) => ({
            topic,
            partition,
            offset,
            reason: UNREADABLE[reason as UnreadableReason],
          })),
      ) ?? null
    );
  }

  /** The lag of each consumer; undefined for those Kafka does not answer for, so one missing topic hides no other. */
  async function askLags(asked: Promise<Admin>): Promise<(PartitionLag[] | undefined)[]> {
    const lags = await Promise.all(
      consumers.map(({ group, topic }) => inTime(asked.then((admin) => lagOf(admin, group, topic)))),
    );
    if (lags.includes(undefined)) {
      admin = undefined;
      void asked.then((admin) => admin.close()).catch(() => undefined);
    }
    return lags;
  }

  /** Skips a report while one still runs, so that reports do not pile up while Firestore is unavailable. */
  const next = () => {
    writing ??= report().finally(() => (writing = undefined));
  };
  const timer = setInterval(next, EVERY_MS);
  next();
  return {
    async stop() {
      clearInterval(timer);
      await writing;
      await admin?.then((admin) => admin.close()).catch(() => undefined);
    },
  };
}

/** True when the group has committed a later offset: the partition is no longer stopped at this one. */
function isBehind(lags: PartitionLag[] | undefined, partition: number, offset: bigint): boolean {
  const committed = lags?.find((lag) => lag.partition === partition)?.committed;
  return committed !== undefined && committed > offset;
}

async function countDeadLetters(
  books: readonly DeadLetterBook[],
  asked: Promise<Admin>,
): Promise<number | undefined> {
  const refreshed = await inTime(
    asked.then((admin) => Promise.all(books.map((book) => book.refresh(admin)))),
  );
  return refreshed && books.reduce((sum, book) => sum + book.open().length, 0);
}

/** The answer, or undefined when it fails or takes too long. */
async function inTime<T>(answer: Promise<T>): Promise<T | undefined> {
  return within(ASK_WITHIN_MS, answer, () => undefined).catch(() => undefined);
}

function timestampOf(milliseconds: number | undefined): UtcTimestamp | null {
  return milliseconds === undefined
    ? null
    : utcTimestamp(Temporal.Instant.fromEpochMilliseconds(milliseconds));
}
