/**
 * Protection against a message that ends the process each time: before a partition's messages are worked on, a marker
 * is stored where it outlives the process. A process that finds another one's marker tries the messages it covers one
 * by one. A message that several processes died on goes to the dead letters.
 * These types stand here because consumers (shared/kafka) and the store know nothing of each other.
 */

/** Raised before messages of a partition are worked on. */
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

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The markers of one consumer group. The store implements it, the consumer uses it; every method throws ServiceError `store.*`. */
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
