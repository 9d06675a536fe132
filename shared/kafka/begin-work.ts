/** Begins the work on a partition as one consumer does it: which messages must keep their order, and in whose name it marks them. */
import type { Log } from '../platform/log.ts';
import type { BackoffRange } from '../platform/backoff.ts';
import type { Failure } from './dead-letters.ts';
import type { InFlight, Marker } from '../platform/in-flight.ts';
import type { SharedLock } from '../platform/shared-lock.ts';
import { PartitionWork } from './partition-work.ts';
import type { IncomingMessage } from './ports.ts';

/** What is the same for all partitions of a consumer. */
export interface WorkOptions {
  readonly topic: string;
  readonly handle: (message: IncomingMessage) => Promise<void>;
  readonly deadLetter: (message: IncomingMessage, failure: Failure) => Promise<void>;
  readonly inFlight: InFlight;
  /** One for the whole process, see {@link PartitionOptions.lock}. */
  readonly lock: SharedLock;
  readonly log: Log;
  /** Messages in work at once, in each partition. */
  readonly concurrency: number;
  readonly maxMessageBytes: number;
  readonly backoff: BackoffRange;
}

/**
 * @param start the offset of the first message
 * @param left a marker that a dead process left
 * @param onProgress is told that every message before `next` is done
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

/** The key orders. A message without one keeps its place in the partition: it may concern what any other does. */
function laneOf({ key }: IncomingMessage): string | undefined {
  return key?.toString('latin1');
}
