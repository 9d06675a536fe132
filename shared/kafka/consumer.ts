/**
 * The consumer loop: a topic's messages reach `handle` at least once, each key in order, and an offset is
 * committed only after everything before it is stored. It starts without a broker, rejoins after every
 * failure, and ends only by `stop`. What a message means is the handler's business.
 */
import { within } from '../platform/deadline.ts';
import { ServiceError } from '../platform/errors.ts';
import { errorFields, type Log } from '../platform/log.ts';
import { measure } from '../platform/metrics.ts';
import { continueTrace, withTrace } from '../platform/trace.ts';
import { delayAfter, pauseFor, type BackoffRange } from './backoff.ts';
import { writeDeadLetter } from './dead-letters.ts';
import type { InFlight } from './in-flight.ts';
import type { Admin, IncomingMessage, KafkaClient, Member } from './kafkajs.ts';
import { openPartition, type Failure, type PartitionWork } from './partition-work.ts';
import type { Publisher } from './publish.ts';

export interface ConsumerOptions {
  readonly client: KafkaClient;
  readonly topic: string;
  readonly group: string;
  /**
   * Applies a message. A ServiceError that is retriable is tried again, for as long as it takes; any other
   * failure makes the message a dead letter.
   */
  readonly handle: (message: IncomingMessage) => Promise<void>;
  readonly publisher: Publisher;
  readonly inFlight: InFlight;
  readonly log: Log;
  /** Messages in work at once, in each partition. */
  readonly concurrency?: number;
  readonly maxMessageBytes?: number;
  readonly backoff?: BackoffRange;
  /** How long `stop` waits for what is in work. */
  readonly finishWithinMs?: number;
}

export interface ConsumerState {
  /** Member of the group at present. */
  readonly connected: boolean;
  /** When a fetch last came back, or the group was joined since, in milliseconds since the epoch; undefined before. */
  readonly lastPollAt: number | undefined;
  readonly assigned: readonly number[];
  /** Partitions in which a message waits for a transient fault to pass. */
  readonly waiting: readonly number[];
}

export interface RunningConsumer {
  state(): ConsumerState;
  /** Ends within 10 s: what is in work is finished and committed, the rest is left to the group. */
  stop(): Promise<void>;
}

const COMMIT_EVERY_MS = 100;
/** A partition with more than this taken over and not done is not fetched further. */
const BUFFER_BYTES = 1024 * 1024;
const MAX_MESSAGE_BYTES = 512 * 1024;
/** A member that has not polled for so long is replaced: kafkajs may have died without a word. */
const SILENT_AFTER_MS = 90_000;
const LEAVE_WITHIN_MS = 2_500;
/** Whoever stops does not wait for what takes too long. */
const leaveIt = () => undefined;

export function runConsumer(options: ConsumerOptions): RunningConsumer {
  const { client, topic, group, log, inFlight, publisher } = options;
  const backoff = options.backoff ?? { firstMs: 200, lastMs: 15_000 };
  const stopping = new AbortController();
  let life: Life | undefined;
  let lastPollAt: number | undefined;

  const done = (async () => {
    for (let attempt = 1; !stopping.signal.aborted; attempt += 1) {
      const started = Date.now();
      life = startLife();
      const error = await life.ended;
      await life.end();
      life = undefined;
      if (stopping.signal.aborted) break;
      if (Date.now() - started > SILENT_AFTER_MS) attempt = 1;
      const delay = delayAfter(attempt, backoff);
      log.warn('The consumer lost Kafka and will join again', {
        topic,
        group,
        attempt,
        delay_ms: Math.round(delay),
        ...errorFields(error),
      });
      await pauseFor(delay, stopping.signal);
    }
  })();

  /** One membership of the group, from joining to its end. */
  function startLife(): Life {
    const ended = Promise.withResolvers<unknown>();
    const works = new Map<number, PartitionWork>();
    const paused = new Set<number>();
    const finished = new Map<number, bigint>();
    let retired: Promise<unknown> = Promise.resolve();
    let epoch = 0;
    let assigned: readonly number[] = [];
    let committing: Promise<void> = Promise.resolve();
    let commitTimer: NodeJS.Timeout | undefined;
    let admin: Promise<Admin> | undefined;
    let joined: Member | undefined;
    /** `leaving`: no partition is begun any more. `gone`: what ends now has no say any more. */
    let stage: 'member' | 'leaving' | 'gone' = 'member';

    const member = client.join(topic, group, {
      assigned(partitions) {
        if (stage !== 'member') return;
        retire();
        assigned = partitions;
        void open(epoch, partitions);
      },
      lost: retire,
      messages(partition, messages) {
        const work = works.get(partition);
        if (work?.accept(messages) !== true) return false;
        throttle(partition);
        return true;
      },
      polled: () => (lastPollAt = Date.now()),
      ended: ended.resolve,
    });
    // A member is not judged by the polls of the one before it.
    const enter = (value: Member) => {
      joined = value;
      lastPollAt = Date.now();
    };
    member.then(enter, ended.resolve);

    const watchdog = setInterval(() => {
      if (lastPollAt !== undefined && joined !== undefined && Date.now() - lastPollAt > SILENT_AFTER_MS) {
        ended.resolve(new ServiceError('kafka.unavailable', { detail: 'The consumer has stopped polling' }));
      }
    }, 5_000);

    /** Nothing more is begun in the partitions held so far; they may be another's in a moment. */
    function retire(): void {
      epoch += 1;
      const held = [...works];
      works.clear();
      paused.clear();
      assigned = [];
      retired = Promise.allSettled([retired, ...held.map(([partition, work]) => release(partition, work))]);
      void commit();
    }

    async function release(partition: number, work: PartitionWork): Promise<void> {
      await work.close();
      if (stage === 'gone') return;
      if (!assigned.includes(partition) || work.suspicion() !== undefined) await lower(partition, work);
    }

    function lower(partition: number, work: PartitionWork): Promise<void> {
      return inFlight.lower({ topic, partition }, work.suspicion());
    }

    /** Starts the partitions from the group's offsets, as soon as what was in work before has ended. */
    async function open(mine: number, partitions: readonly number[]): Promise<void> {
      const isOver = () => mine !== epoch || stage !== 'member';
      for (let attempt = 1; !isOver(); attempt += 1) {
        try {
          const kafka = await member;
          await retired;
          for (const partition of finished.keys()) {
            if (!partitions.includes(partition)) finished.delete(partition);
          }
          await commit();
          admin ??= client.admin();
          const [ranges, committed, left] = await admin.then((admin) =>
            Promise.all([
              admin.ranges(topic),
              admin.committed(group, topic),
              Promise.all(partitions.map((partition) => inFlight.left({ topic, partition }))),
            ]),
          );
          if (isOver()) return;
          finished.clear();
          partitions.forEach((partition, index) => {
            const low = ranges.get(partition)?.low ?? 0n;
            const stored = committed.get(partition) ?? low;
            const start = stored > low ? stored : low;
            works.set(partition, workOn(partition, start, left[index]));
            kafka.seek(partition, start);
            kafka.resume(partition);
          });
          return;
        } catch (error) {
          if (isOver()) return;
          closeAdmin();
          const delay = delayAfter(attempt, backoff);
          log.warn('The partitions cannot be started yet', {
            topic,
            group,
            attempt,
            delay_ms: Math.round(delay),
            ...errorFields(error),
          });
          await pauseFor(delay, stopping.signal);
        }
      }
    }

    function workOn(
      partition: number,
      start: bigint,
      left: Awaited<ReturnType<InFlight['left']>>,
    ): PartitionWork {
      if (left !== undefined) {
        log.warn('A process ended while it worked on this partition: its messages are tried one by one', {
          topic,
          partition,
        });
      }
      const mine = epoch;
      return openPartition({
        start,
        left,
        laneOf,
        concurrency: options.concurrency ?? 8,
        maxMessageBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
        backoff,
        handle: (message) => inTraceOf(message, () => options.handle(message)),
        deadLetter: (message, failure) => inTraceOf(message, () => bury(message, failure)),
        raise: (marker) => inFlight.raise({ topic, partition }, marker),
        try: (offset, work) => inFlight.try({ topic, partition }, offset, work),
        onProgress(next) {
          // An offset of an earlier epoch is committed too while the partition stays here, see open().
          if (mine !== epoch && !assigned.includes(partition)) return;
          finished.set(partition, next);
          commitTimer ??= setTimeout(() => void commit(), COMMIT_EVERY_MS);
          throttle(partition);
        },
        log,
      });
    }

    /** Stops fetching a partition that has enough in hand, and starts it again when half is done. */
    function throttle(partition: number): void {
      const bytes = works.get(partition)?.bufferedBytes() ?? 0;
      if (!paused.has(partition) && bytes > BUFFER_BYTES) {
        paused.add(partition);
        joined?.pause(partition);
      } else if (paused.has(partition) && bytes < BUFFER_BYTES / 2) {
        paused.delete(partition);
        joined?.resume(partition);
      }
    }

    /** One commit at a time; a failed one leaves the offsets to the next, or to the group after a rebalance. */
    function commit(): Promise<void> {
      clearTimeout(commitTimer);
      commitTimer = undefined;
      committing = committing.then(commitNow);
      return committing;
    }

    async function commitNow(): Promise<void> {
      if (finished.size === 0 || joined === undefined) return;
      const offsets = new Map(finished);
      try {
        await joined.commit(offsets);
        for (const [partition, offset] of offsets) {
          if (finished.get(partition) === offset) finished.delete(partition);
        }
      } catch (error) {
        log.info('Offsets were not committed, their messages may come again', {
          topic,
          group,
          ...errorFields(error),
        });
      }
    }

    function closeAdmin(): void {
      void admin?.then((admin) => admin.close()).catch(() => undefined);
      admin = undefined;
    }

    return {
      ended: ended.promise,
      async end() {
        clearInterval(watchdog);
        stage = 'leaving';
        const held = [...works];
        retire();
        await within(options.finishWithinMs ?? 6_000, retired, leaveIt);
        stage = 'gone';
        const lowered = Promise.allSettled(held.map(([partition, work]) => lower(partition, work)));
        await within(LEAVE_WITHIN_MS, Promise.all([commit(), lowered]), leaveIt);
        clearTimeout(commitTimer);
        closeAdmin();
        await within(
          LEAVE_WITHIN_MS,
          member.then((member) => member.leave()).catch(() => undefined),
          leaveIt,
        );
      },
      state: () => ({
        connected: joined !== undefined,
        assigned,
        waiting: [...works].filter(([, work]) => work.isWaiting()).map(([partition]) => partition),
      }),
      stop: () => ended.resolve(undefined),
    };
  }

  async function bury(message: IncomingMessage, failure: Failure): Promise<void> {
    const { written, omitted, error } = await writeDeadLetter(publisher, message, failure, new Date());
    const { partition, offset } = message;
    const place = { topic, partition, offset: offset.toString() };
    if (error !== undefined) {
      log.error(
        written
          ? 'A dead letter could be kept only in part'
          : 'A message is passed over: not even its dead letter could be written',
        { ...place, fields: omitted, ...errorFields(error) },
      );
      measure(log, 'errors', { error_code: error.code });
    }
    if (!written) return;
    log.error('A message became a dead letter', {
      ...place,
      attempt: failure.attempts,
      ...errorFields(failure.error),
      error_code: failure.code,
    });
    measure(log, 'dead_letters', { topic, error_code: failure.code });
  }

  return {
    state: () => ({ ...(life?.state() ?? { connected: false, assigned: [], waiting: [] }), lastPollAt }),
    async stop() {
      stopping.abort();
      life?.stop();
      await done;
    },
  };
}

interface Life {
  readonly ended: Promise<unknown>;
  end(): Promise<void>;
  state(): Omit<ConsumerState, 'lastPollAt'>;
  stop(): void;
}

/** What is done and logged for a message belongs to the trace of what caused it. */
function inTraceOf<T>({ headers }: IncomingMessage, work: () => T): T {
  return withTrace(continueTrace(headers['traceparent']?.toString()), work);
}

/** The key orders; messages without one have no order among themselves. */
function laneOf({ key, offset }: IncomingMessage): string {
  return key === null ? `offset ${offset}` : `key ${key.toString('latin1')}`;
}
