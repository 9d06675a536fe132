/**
 * The work on one assigned partition: keys side by side, the messages of a key in order, transient faults
 * retried in place, permanent ones handed to the dead letters. It knows neither Kafka nor what an effect
 * is; it tells its owner how far everything is done.
 */
import { ServiceError, type ErrorCode } from '../platform/errors.ts';
import { errorFields, type Log } from '../platform/log.ts';
import { delayAfter, pauseFor, type BackoffRange } from './backoff.ts';
import { CLAIM, DEADLY_TIMES, type Marker } from './in-flight.ts';
import type { IncomingMessage } from './kafkajs.ts';

/** Why a message could not be applied. */
export interface Failure {
  readonly code: ErrorCode;
  readonly attempts: number;
  readonly error: unknown;
}

export interface PartitionOptions {
  /** The offset of the first message that is accepted. */
  readonly start: bigint;
  /** A marker that a dead process left. */
  readonly left: Marker | undefined;
  /** Messages of one lane are worked on in order. */
  readonly laneOf: (message: IncomingMessage) => string;
  readonly concurrency: number;
  readonly maxMessageBytes: number;
  readonly backoff: BackoffRange;
  /** Resolves when the effect is stored; repeats must do no harm. */
  readonly handle: (message: IncomingMessage) => Promise<void>;
  readonly deadLetter: (message: IncomingMessage, failure: Failure) => Promise<void>;
  readonly raise: (marker: Marker) => Promise<void>;
  /** See {@link InFlight.try}. */
  readonly try: (offset: bigint, work: () => Promise<void>) => Promise<void>;
  /** Every message before `next` is done. */
  readonly onProgress: (next: bigint) => void;
  readonly log: Log;
}

export interface PartitionWork {
  /** Takes over messages that follow those taken before; false when the work is closed. */
  accept(messages: readonly IncomingMessage[]): boolean;
  /** Size of what is taken over and not done. */
  bufferedBytes(): number;
  /** True while a message waits for a transient fault to pass. */
  isWaiting(): boolean;
  /** What is left of the dead process's marker: messages that must still be tried one by one. */
  suspicion(): Marker | undefined;
  /** Begins no more messages; resolves when none is in work. */
  close(): Promise<void>;
}

interface Entry {
  readonly message: IncomingMessage;
  readonly bytes: number;
  done: boolean;
}

export function openPartition(options: PartitionOptions): PartitionWork {
  const { left, log } = options;
  const closing = new AbortController();
  const idle = Promise.withResolvers<void>();
  const lanes = new Map<string, Entry[]>();
  const ready: string[] = [];
  /** Taken over and not done, in order of offset. */
  const open: Entry[] = [];
  const carefulUntil = left?.until ?? 0n;
  const suspects = new Map(
    left?.suspects
      .filter(({ offset }) => offset >= options.start)
      .map(({ offset, times }) => [offset, times]),
  );
  let claimedUntil = 0n;
  let expected = options.start;
  let bytes = 0;
  let running = 0;
  let waiting = 0;
  let exclusive = false;

  function accept(messages: readonly IncomingMessage[]): boolean {
    if (closing.signal.aborted) return false;
    for (const message of messages) {
      if (message.offset < expected) continue;
      expected = message.offset + 1n;
      const entry = { message, bytes: sizeOf(message), done: false };
      open.push(entry);
      bytes += entry.bytes;
      const lane = options.laneOf(message);
      const queue = lanes.get(lane);
      if (queue === undefined) {
        lanes.set(lane, [entry]);
        ready.push(lane);
      } else {
        queue.push(entry);
      }
    }
    begin();
    return true;
  }

  /** Begins as many messages as may run now. */
  function begin(): void {
    while (!closing.signal.aborted && !exclusive && running < options.concurrency) {
      const lane = ready[0];
      const entry = lane === undefined ? undefined : lanes.get(lane)?.[0];
      if (lane === undefined || entry === undefined) break;
      const { offset } = entry.message;
      const careful = offset < carefulUntil;
      // What is on trial waits until the others are done, and the others wait for it.
      if (careful && running > 0) break;
      ready.shift();
      running += 1;
      exclusive = careful || offset >= claimedUntil;
      void work(entry, careful).then(() => finish(lane, entry));
    }
    if (closing.signal.aborted && running === 0) idle.resolve();
  }

  function finish(lane: string, entry: Entry): void {
    running -= 1;
    if (entry.message.offset < carefulUntil) exclusive = false;
    if (entry.done) {
      suspects.delete(entry.message.offset);
      const queue = lanes.get(lane) ?? [];
      queue.shift();
      if (queue.length > 0) ready.push(lane);
      else lanes.delete(lane);
      advance();
    }
    begin();
  }

  function advance(): void {
    let next: bigint | undefined;
    while (open[0]?.done === true) {
      const entry = open.shift();
      if (entry === undefined) break;
      bytes -= entry.bytes;
      next = entry.message.offset + 1n;
    }
    if (next !== undefined) options.onProgress(next);
  }

  /** Sets `entry.done` unless the work was closed before the effect was stored. */
  async function work(entry: Entry, careful: boolean): Promise<void> {
    const { message } = entry;
    const times = suspects.get(message.offset) ?? 0;
    if (careful && times >= DEADLY_TIMES) {
      await bury(entry, { code: 'event.process_killer', attempts: times, error: undefined });
      return;
    }
    if (message.offset >= claimedUntil && !(await claim(message, careful))) return;
    if (message.value !== null && message.value.byteLength > options.maxMessageBytes) {
      await bury(entry, { code: 'event.too_large', attempts: 1, error: undefined });
      return;
    }
    let failure: Failure | undefined;
    const apply = async (attempt: number) => {
      try {
        await options.handle(message);
      } catch (error) {
        if (isTransient(error)) throw error;
        failure = { code: codeOf(error), attempts: times + attempt, error };
      }
    };
    const ended = await persist(message, (attempt) =>
      careful ? options.try(message.offset, () => apply(attempt)) : apply(attempt),
    );
    if (!ended) return;
    if (failure === undefined) entry.done = true;
    else await bury(entry, failure);
  }

  /**
   * Raises the marker under which the next messages are begun.
   * @returns false when the work was closed first
   */
  async function claim(message: IncomingMessage, careful: boolean): Promise<boolean> {
    const until = careful ? carefulUntil : message.offset + CLAIM;
    if (!(await persist(message, () => options.raise(markerUntil(until))))) return false;
    claimedUntil = until;
    if (!careful) {
      exclusive = false;
      begin();
    }
    return true;
  }

  function markerUntil(until: bigint): Marker {
    return { until, suspects: [...suspects].map(([offset, times]) => ({ offset, times })) };
  }

  async function bury(entry: Entry, failure: Failure): Promise<void> {
    entry.done = await persist(entry.message, () => options.deadLetter(entry.message, failure));
  }

  /**
   * Repeats an action until it succeeds, with growing delays.
   * @returns false when the work was closed first
   */
  async function persist(
    message: IncomingMessage,
    action: (attempt: number) => Promise<void>,
  ): Promise<boolean> {
    for (let attempt = 1; !closing.signal.aborted; attempt += 1) {
      try {
        await action(attempt);
        return true;
      } catch (error) {
        const delay = delayAfter(attempt, options.backoff);
        const { topic, partition, offset } = message;
        log.warn('A message waits for a transient fault to pass', {
          topic,
          partition,
          offset: offset.toString(),
          attempt,
          delay_ms: Math.round(delay),
          ...errorFields(error),
        });
        waiting += 1;
        await pauseFor(delay, closing.signal);
        waiting -= 1;
      }
    }
    return false;
  }

  return {
    accept,
    bufferedBytes: () => bytes,
    isWaiting: () => waiting > 0,
    suspicion: () =>
      (open[0]?.message.offset ?? expected) < carefulUntil ? markerUntil(carefulUntil) : undefined,
    close() {
      closing.abort();
      if (running === 0) idle.resolve();
      return idle.promise;
    },
  };
}

function isTransient(error: unknown): boolean {
  return error instanceof ServiceError && error.retriable;
}

function codeOf(error: unknown): ErrorCode {
  return error instanceof ServiceError ? error.code : 'event.handler_failed';
}

/** Bytes that a message holds in memory, roughly. */
function sizeOf({ key, value }: IncomingMessage): number {
  return 200 + (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
}
