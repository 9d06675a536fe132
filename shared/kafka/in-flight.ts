/**
 * Protection against a message that ends the process each time: before a partition's messages are worked
 * on, a marker is raised in a store that outlives the process. Who finds one that another process left
 * goes message by message, and a message that was alone in work at too many ends is the culprit.
 */

export interface Marker {
  /** Messages before this offset may have been in work. */
  readonly until: bigint;
  /** Messages that were in work alone when a process ended, and the one that is now. */
  readonly alone: readonly Suspect[];
}

/** A message and how many times it was begun alone without an end. */
export interface Suspect {
  readonly offset: bigint;
  readonly times: number;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The markers of one consumer group. Implemented by the store; failures are retriable ServiceErrors. */
export interface InFlight {
  raise(at: TopicPartition, marker: Marker): Promise<void>;
  /** Takes down the marker that this process raised, not one that another has raised since. */
  lower(at: TopicPartition): Promise<void>;
  /** A marker that another process has raised and not lowered. */
  left(at: TopicPartition): Promise<Marker | undefined>;
}

/**
 * One marker covers so many offsets ahead: a quiet topic pays one write for many messages, and after a
 * crash at most so many go one by one.
 */
export const CLAIM = 200n;

/**
 * A message that was begun alone so often and never ended is dead. More than once, since a process can
 * also be killed for other reasons while it works on an innocent message.
 */
export const DEADLY_TIMES = 3;
