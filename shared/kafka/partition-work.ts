/**
 * Processes the messages of one assigned partition: lanes in parallel, the messages of a lane in order. It retries
 * transient failures in place, passes permanent ones on as dead letters, and reports how far everything is done. It knows
 * neither Kafka nor the effects.
 */
import { ServiceError, type ErrorCode } from '../platform/errors.ts';
import { errorFields, type Log } from '../platform/log.ts';
import type { SharedLock } from '../platform/shared-lock.ts';
import { delayAfter, pauseFor, type BackoffRange } from '../platform/backoff.ts';
import { Guard } from './guard.ts';
import { isTransient, orReport, reportFault } from './fault.ts';
import type { Marker } from '../platform/in-flight.ts';
import type { Failure } from './dead-letters.ts';
import type { IncomingMessage } from './ports.ts';
import { Lanes, type Lane } from './lanes.ts';
import { Progress, type Step } from './progress.ts';
import { Trial } from './trial.ts';

/** What the work on one partition needs. */
export interface PartitionOptions {
  /** The offset of the first message that is accepted. */
  readonly start: bigint;
  /** A marker that a dead process left. */
  readonly left: Marker | undefined;
  /** Messages of one lane are processed in order; a message without a lane keeps its order with all others. */
  readonly laneOf: (message: IncomingMessage) => string | undefined;
  readonly concurrency: number;
  readonly maxMessageBytes: number;
  readonly backoff: BackoffRange;
  /** Resolves when the effect is stored. It may be called again for the same message. */
  readonly handle: (message: IncomingMessage) => Promise<void>;
  readonly deadLetter: (message: IncomingMessage, failure: Failure) => Promise<void>;
  readonly raise: (marker: Marker) => Promise<void>;
  /** One for the whole process: a message that is tried alone must not run in parallel with one of another partition. */
  readonly lock: SharedLock;
  /** Called when every message before `next` is done. */
  readonly onProgress: (next: bigint) => void;
  readonly log: Log;
}

interface Entry extends Step {
  readonly message: IncomingMessage;
}

/**
 * Applies the messages of one partition: in order within a lane, each one until it is stored or is a dead letter.
 */
export class PartitionWork {
  private readonly options: PartitionOptions;
  private readonly lanes = new Lanes<Entry>();
  private readonly progress: Progress<Step>;
  private readonly trial: Trial;
  private readonly guard: Guard;
  private readonly closing = new AbortController();
  private readonly idle = Promise.withResolvers<void>();
  private running = 0;
  private waiting = 0;

  constructor(options: PartitionOptions) {
    this.options = options;
    this.progress = new Progress(options.start);
    this.trial = new Trial(options.left, options.start);
    const raise = async (message: IncomingMessage, marker: Marker) => {
      await this.step(message, 'A marker cannot be raised', () => options.raise(marker));
    };
    this.guard = new Guard({ trial: this.trial, lock: options.lock, raise, signal: this.closing.signal });
  }

  /**
   * Takes over messages that follow those taken before.
   * @param next the offset to continue from: no message lies between the last of `messages` and it
   * @returns false when the work is closed
   */
  accept(messages: readonly IncomingMessage[], next: bigint): boolean {
    if (this.closing.signal.aborted) return false;
    for (const message of messages) {
      if (message.offset < this.progress.next) continue;
      const entry = {
        message,
        from: message.offset,
        next: message.offset + 1n,
        bytes: sizeOf(message),
        done: false,
      };
      this.progress.add(entry);
      this.lanes.add(this.options.laneOf(message), entry);
    }
    if (next > this.progress.next) {
      this.progress.add({ from: this.progress.next, next, bytes: 0, done: true });
      this.advance();
    }
    this.begin();
    return true;
  }

  /** Size of the messages that are taken over and not done. */
  get bufferedBytes(): number {
    return this.progress.bytes;
  }

  /** True while a message waits for a transient fault to pass. */
  get isWaiting(): boolean {
    return this.waiting > 0;
  }

  /** What the next process must know of the dead process's marker; undefined when nothing. */
  get suspicion(): Marker | undefined {
    return this.trial.suspicion();
  }

  /** Starts no more messages; resolves when none is being processed. */
  close(): Promise<void> {
    this.closing.abort();
    if (this.running === 0) this.idle.resolve();
    return this.idle.promise;
  }

  /** Starts as many messages as may run now. */
  private begin(): void {
    while (!this.closing.signal.aborted && this.running < this.options.concurrency) {
      const next = this.lanes.next();
      if (next === undefined) break;
      const { lane, item: entry } = next;
      this.lanes.begin();
      this.running += 1;
      void this.work(entry).then(() => this.finish(lane, entry));
    }
    if (this.closing.signal.aborted && this.running === 0) this.idle.resolve();
  }

  private finish(lane: Lane, entry: Entry): void {
    this.running -= 1;
    if (entry.done) {
      this.lanes.done(lane);
      this.advance();
    }
    this.begin();
  }

  private advance(): void {
    const next = this.progress.advance();
    this.trial.advance(this.progress.open);
    if (next !== undefined) this.options.onProgress(next);
  }

  /** Sets `entry.done` unless the work was closed before the effect was stored. */
  private async work(entry: Entry): Promise<void> {
    const { options, trial } = this;
    const { message } = entry;
    const times = trial.times(message.offset);
    if (trial.isDeadly(message.offset)) {
      await this.bury(entry, { code: 'event.process_killer', attempts: times, error: undefined });
      return;
    }
    if (message.value !== null && message.value.byteLength > options.maxMessageBytes) {
      await this.bury(entry, { code: 'event.too_large', attempts: 1, error: undefined });
      return;
    }
    let failure: Failure | undefined;
    const apply = async (attempt: number) => {
      try {
        await options.handle(message);
        entry.done = true;
      } catch (error) {
        if (isTransient(error)) throw error;
        failure = { code: codeOf(error), attempts: times + attempt, error };
      }
    };
    await this.persist(message, (attempt) => this.guard.run(message, () => apply(attempt)));
    if (failure !== undefined) await this.bury(entry, failure);
  }

  private async bury(entry: Entry, failure: Failure): Promise<void> {
    const { message } = entry;
    const write = () => this.options.deadLetter(message, failure);
    entry.done = await this.persist(message, async () => {
      await this.step(message, 'A message is passed over: its dead letter cannot be written', write);
    });
  }

  /** Runs a step that the message can do without. @returns false when it failed with a fault @throws in an outage */
  private step(message: IncomingMessage, complaint: string, run: () => Promise<void>): Promise<boolean> {
    return orReport(run, (error) => reportFault(this.options.log, complaint, placeOf(message), error));
  }

  /**
   * Retries an action with growing delays until it succeeds. It may fail in outages only.
   * @returns false when the work was closed first
   */
  private async persist(
    message: IncomingMessage,
    action: (attempt: number) => Promise<void>,
  ): Promise<boolean> {
    const { signal } = this.closing;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        await action(attempt);
        return true;
      } catch (error) {
        const delay = delayAfter(attempt, this.options.backoff);
        this.options.log.warn('A message waits for a transient fault to pass', {
          ...placeOf(message),
          attempt,
          delay_ms: Math.round(delay),
          ...errorFields(error),
        });
        this.waiting += 1;
        await pauseFor(delay, signal);
        this.waiting -= 1;
      }
    }
    return false;
  }
}

function placeOf({ topic, partition, offset }: IncomingMessage) {
  return { topic, partition, offset: offset.toString() };
}

function codeOf(error: unknown): ErrorCode {
  return error instanceof ServiceError ? error.code : 'event.handler_failed';
}

/** Bytes that a message holds in memory, roughly. */
function sizeOf({ key, value }: IncomingMessage): number {
  return 200 + (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
}
