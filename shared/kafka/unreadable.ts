/**
 * Partitions that are stopped at a batch that cannot be read. The batch is recorded for the operators, who may decide to
 * pass over it, and fetched again every few seconds in case it was repaired.
 */
import { errorFields, type Log } from '../platform/log.ts';
import { measure } from '../platform/metrics.ts';
import { pauseFor } from '../platform/backoff.ts';
import type { TopicPartition } from '../platform/in-flight.ts';
import type { Position } from './position.ts';
import { UNREADABLE } from './record-batch.ts';
import type { UnreadableBatch } from './record-set.ts';

/** The notes of one consumer group. Implemented by the store; its failures are retriable ServiceErrors. */
export interface UnreadableNotes {
  /**
   * Notes that the partition is stopped at the batch.
   * @returns the last offset that an operator has decided to pass over; undefined while nobody has decided
   */
  standing(at: TopicPartition, batch: UnreadableBatch): Promise<bigint | undefined>;
  /** Notes that the partition is no longer stopped: the batch was passed over, could be read after all, or is gone. */
  ended(at: TopicPartition, how: 'passed' | 'readable' | 'gone'): Promise<void>;
}

const LOG_AGAIN_AFTER_MS = 10 * 60_000;

/** What {@link Standing} needs. */
export interface StandingOptions {
  readonly topic: string;
  readonly notes: UnreadableNotes;
  readonly log: Log;
  /** How often to look for a decision and fetch the batch again, in milliseconds. */
  readonly everyMs: number;
}

/** The batches at which the partitions of one consumer are stopped. */
export class Standing {
  private readonly options: StandingOptions;
  private readonly batches = new Map<number, { readonly offset: bigint; readonly loggedAt: number }>();

  constructor(options: StandingOptions) {
    this.options = options;
  }

  /**
   * Waits until the partition should be fetched again.
   * @returns the offset to continue from when the batch is to be passed over; undefined to fetch it again
   */
  async wait(partition: number, batch: UnreadableBatch, signal: AbortSignal): Promise<bigint | undefined> {
    const { topic, notes, log, everyMs } = this.options;
    this.report(partition, batch);
    try {
      const decided = await notes.standing({ topic, partition }, batch);
      // Pass over the unreadable batch only, even if the decision names a later offset.
      const last = batch.lastOffset ?? decided;
      if (decided !== undefined && last !== undefined && decided >= last && last >= batch.offset)
        return last + 1n;
    } catch (error) {
      log.warn('A batch that cannot be read was not noted', { topic, partition, ...errorFields(error) });
    }
    await pauseFor(everyMs, signal);
    return undefined;
  }

  /** Notes that the partition continues after the batch. */
  async passed(partition: number, next: bigint): Promise<void> {
    this.options.log.warn('A batch that cannot be read was passed over, as an operator decided', {
      topic: this.options.topic,
      partition,
      offset: next.toString(),
    });
    await this.end(partition, 'passed');
  }

  /** Notes that messages could be read from the partition. */
  async moved(partition: number): Promise<void> {
    if (!this.batches.has(partition)) return;
    this.options.log.info('A batch that could not be read was read', {
      topic: this.options.topic,
      partition,
    });
    await this.end(partition, 'readable');
  }

  /** Called when the partition is opened. After a jump of its position the old batch is of another topic, or deleted. */
  async positioned(partition: number, { start, why, missing }: Position): Promise<void> {
    if (why === 'continued' || why === 'first') return;
    const { topic, log } = this.options;
    log.error('The position of a partition has jumped', {
      topic,
      partition,
      reason: why,
      offset: start.toString(),
      count: Number(missing),
    });
    if (missing > 0n) measure(log, 'offsets_missing', { topic }, Number(missing));
    await this.end(partition, 'gone');
  }

  private report(partition: number, batch: UnreadableBatch): void {
    const known = this.batches.get(partition);
    const now = Date.now();
    if (known?.offset === batch.offset && now - known.loggedAt < LOG_AGAIN_AFTER_MS) return;
    this.batches.set(partition, { offset: batch.offset, loggedAt: now });
    const fields = {
      topic: this.options.topic,
      partition,
      offset: batch.offset.toString(),
      reason: UNREADABLE[batch.reason],
    };
    this.options.log.error(
      'A batch cannot be read, and its partition stands. This is no outage: waiting does not help, see docs/runbooks/unreadable-batch.md',
      fields,
    );
  }

  private async end(partition: number, how: 'passed' | 'readable' | 'gone'): Promise<void> {
    const { topic, notes, log } = this.options;
    this.batches.delete(partition);
    await notes
      .ended({ topic, partition }, how)
      .catch((error: unknown) =>
        log.warn('The end of an unreadable batch was not noted', { topic, partition, ...errorFields(error) }),
      );
  }
}
