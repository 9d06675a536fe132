/**
 * Protection against a message that ends the process each time: before messages are worked on, a marker is stored where
 * it outlives the process. What the next process concludes from it, see shared/kafka/trial.ts.
 * These types stand here because consumers (shared/kafka) and the store know nothing of each other.
 */

/** Raised before messages of a partition are worked on. */
export interface Marker {
  /** Messages before this offset may have been in work. */
  readonly until: bigint;
  readonly suspects: readonly Suspect[];
  /** The messages in work, where they are noted one by one: others were not, whatever `until` says. */
  readonly inWork?: InWork;
}

/** Messages that had begun when the marker was stored. */
export interface InWork {
  readonly offsets: readonly bigint[];
  /** Nothing else ran in the whole process. */
  readonly alone: boolean;
}

/** A message in work when a process ended, and how many processes have ended while they tried it alone. */
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
  /** A marker that its process did not lower, or that has no owner. */
  left(at: TopicPartition): Promise<Marker | undefined>;
}
