/** Starts the work on a partition for one consumer: chooses the messages' lanes and stores markers for its group. */
import type { Log } from '../platform/log.ts';
import type { BackoffRange } from '../platform/backoff.ts';
import type { Failure } from './dead-letters.ts';
import type { InFlight, Marker } from '../platform/in-flight.ts';
import type { SharedLock } from '../platform/shared-lock.ts';
import { PartitionWork } from './partition-work.ts';
import type { IncomingMessage } from './ports.ts';

/** The options that all partitions of a consumer share. */
export interface WorkOptions {
  readonly topic: string;
  readonly handle: (message: IncomingMessage) => Promise<void>;
  readonly deadLetter: (message: IncomingMessage, failure: Failure) => Promise<void>;
  readonly inFlight: InFlight;
  /** One for the whole process, see {@link PartitionOptions.lock}. */
  readonly lock: SharedLock;
  readonly log: Log;
  /** Number of messages processed at once in each partition. */
  readonly concurrency: number;
  readonly maxMessageBytes: number;
  readonly backoff: BackoffRange;
}

/**
 * @param start the offset of the first message
 * @param left a marker that a dead process left
 * @param onProgress called with `next` when every message before it is done
 */
export function beginWork(
  options: WorkOptions,
  partition: number,
  start: bigint,
  left: Marker | undefined,
  onProgress: (next: bigint) => void,
): PartitionWork {
  const { topic, inFlight, lock, log, concurrency, maxMessageBytes, backoff, handle, deadLetter } = options;
  const at = { topic, partition };
  if (left !== undefined) {
    log.warn('A process ended while it worked on this partition: a message may be the cause', at);
  }
  return new PartitionWork({
    start,
    left,
    laneOf,
    concurrency,
    maxMessageBytes,
    backoff,
    handle,
    deadLetter,
    raise: (marker) => inFlight.raise(at, marker),
    lock,
    onProgress,
    log,
  });
}

/** The key is the lane. A message without a key keeps its order with all others: it may concern the same data. */
function laneOf({ key }: IncomingMessage): string | undefined {
  return key?.toString('latin1');
}
