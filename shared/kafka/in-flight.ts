/**
 * Protection against a message that ends the process each time: before a partition's messages are worked on, a marker
 * is stored where it outlives the process. A process that finds another one's marker tries the messages it covers one
 * by one. A message that {@link DEADLY_TIMES} processes died on goes to the dead letters.
 */

export interface Marker {
  /** Messages before this offset may have been in work. */
  readonly until: bigint;
  readonly suspects: readonly Suspect[];
}

/** A message, and how many processes ended while they tried it alone. */
export interface Suspect {
  readonly offset: bigint;
  readonly times: number;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The markers of one consumer group. Implemented by the store; its failures are retriable ServiceErrors. */
export interface InFlight {
  raise(at: TopicPartition, marker: Marker): Promise<void>;
  /**
   * Takes down the marker that this process raised, but not one that another has raised since. If messages are still
   * suspected, a marker without an owner replaces it, for the process that has the partition next.
   */
  lower(at: TopicPartition, suspicion?: Marker): Promise<void>;
  /** A marker that its process did not lower, or that has no owner, with the suspected messages. */
  left(at: TopicPartition): Promise<Marker | undefined>;
  /**
   * Runs `work` for one suspected message: notes it first, then runs nothing else in the whole process. Otherwise a
   * deadly message in one partition would cast suspicion on the messages of the others.
   */
  try(at: TopicPartition, offset: bigint, work: () => Promise<void>): Promise<void>;
}

/**
 * How many offsets one marker covers. A quiet topic pays one write for many messages, and after a crash at most this
 * many are tried one by one.
 */
export const CLAIM = 200n;

/**
 * Dead-letter a message after this many processes ended while they tried it. More than one, since a process can also be
 * killed for another reason.
 */
export const DEADLY_TIMES = 3;
