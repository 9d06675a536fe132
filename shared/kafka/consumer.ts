/**
 * The consumer loop: passes each message of a topic to `handle` at least once, in order for each key, and commits an
 * offset only after everything before it is stored. It starts without a broker, joins again after every failure, and ends
 * only by `stop`.
 */
import { errorFields, type Log } from '../platform/log.ts';
import { measure } from '../platform/metrics.ts';
import type { SharedLock } from '../platform/shared-lock.ts';
import { continueTrace, withTrace } from '../platform/trace.ts';
import { delayAfter, pauseFor, type BackoffRange } from '../platform/backoff.ts';
import { writeDeadLetter, type Failure } from './dead-letters.ts';
import { failureOf } from './failure.ts';
import { reportFault } from './fault.ts';
import type { InFlight } from '../platform/in-flight.ts';
import { Membership, type MembershipState } from './membership.ts';
import type { IncomingMessage, KafkaClient } from './ports.ts';
import type { Publisher } from './publish.ts';
import type { UnreadableNotes } from './unreadable.ts';

/** What a consumer of one topic needs. Times are in milliseconds. */
export interface ConsumerOptions {
  readonly client: KafkaClient;
  readonly topic: string;
  readonly group: string;
  /**
   * Applies a message. After a retriable ServiceError it is called again, without limit; any other failure makes the
   * message a dead letter.
   */
  readonly handle: (message: IncomingMessage) => Promise<void>;
  readonly publisher: Publisher;
  readonly inFlight: InFlight;
  /** One for the whole process, see {@link PartitionOptions.lock}. */
  readonly lock: SharedLock;
  readonly unreadable: UnreadableNotes;
  readonly log: Log;
  /** Number of messages processed at once in each partition. */
  readonly concurrency?: number;
  readonly maxMessageBytes?: number;
  readonly backoff?: BackoffRange;
  readonly standingMs?: number;
  /** How long `stop` waits for messages that are being processed. */
  readonly finishWithinMs?: number;
}

/** Whether the consumer is in its group, and what it holds. */
export type ConsumerState = MembershipState;

/** A consumer that runs until it is stopped. */
export interface RunningConsumer {
  state(): ConsumerState;
  /** Ends within 10 s: finishes and commits the messages being processed, and leaves the rest to the group. */
  stop(): Promise<void>;
}

/** A message with a larger value becomes a dead letter. */
export const MAX_MESSAGE_BYTES = 512 * 1024;
/** After a membership of at least this length the delays start from the shortest again. */
const LASTING_MS = 90_000;

/**
 * Starts to consume a topic. It never throws: failures are logged, and the consumer joins its group again with growing
 * delays. Messages over 512 KiB become dead letters unless `maxMessageBytes` says otherwise.
 */
export function runConsumer(options: ConsumerOptions): RunningConsumer {
  const { client, topic, group, log, inFlight, lock, unreadable, publisher } = options;
  const backoff = options.backoff ?? { firstMs: 200, lastMs: 15_000 };
  const stopping = new AbortController();
  let membership: Membership | undefined;
  let lastPollAt: number | undefined;

  const done = (async () => {
    for (let attempt = 1; !stopping.signal.aborted; attempt += 1) {
      const started = Date.now();
      membership = new Membership({
        client,
        topic,
        group,
        inFlight,
        lock,
        unreadable,
        log,
        backoff,
        handle: (message) => inTraceOf(message, () => options.handle(message)),
        deadLetter: (message, failure) => inTraceOf(message, () => bury(message, failure)),
        concurrency: options.concurrency ?? 8,
        maxMessageBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
        standingMs: options.standingMs ?? 5_000,
        finishWithinMs: options.finishWithinMs ?? 6_000,
      });
      const error = await membership.ended;
      await membership.end();
      lastPollAt = membership.state.lastPollAt ?? lastPollAt;
      membership = undefined;
      if (stopping.signal.aborted) break;
      if (Date.now() - started > LASTING_MS) attempt = 1;
      const delay = delayAfter(attempt, backoff);
      const fields = { topic, group, attempt, delay_ms: Math.round(delay) };
      if (failureOf(error, 'internal').retriable) {
        log.warn('The consumer lost Kafka and will join again', { ...fields, ...errorFields(error) });
      } else {
        reportFault(log, 'The consumer ended, and this is no outage: it joins again', fields, error);
      }
      await pauseFor(delay, stopping.signal);
    }
  })();

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
    state() {
      const state = membership?.state;
      if (state === undefined) return { connected: false, lastPollAt, assigned: [], waiting: [] };
      return { ...state, lastPollAt: state.lastPollAt ?? lastPollAt };
    },
    async stop() {
      stopping.abort();
      membership?.stop();
      await done;
    },
  };
}

/** Runs the work on a message within the trace that the message's headers carry. */
function inTraceOf<T>({ headers }: IncomingMessage, work: () => T): T {
  return withTrace(continueTrace(headers['traceparent']?.toString()), work);
}
