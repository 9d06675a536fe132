/**
 * Protection against a message that kills the process each time. Before messages are handled, a marker is stored that
 * survives the process. shared/kafka/trial.ts says what the next process does with it.
 * These types are here because consumers (shared/kafka) and the store do not know each other.
 */

/** Stored before messages of a partition are handled. */
export interface Marker {
  /** Only messages before this offset may have been in progress. */
  readonly until: bigint;
  readonly suspects: readonly Suspect[];
  /** The messages in progress, if they are noted one by one. Then no others were, whatever `until` says. */
  readonly inWork?: InWork;
}

/** The messages in progress when the marker was stored. */
export interface InWork {
  readonly offsets: readonly bigint[];
  /** Whether nothing else ran in the whole process. */
  readonly alone: boolean;
}

/** A message that was in progress when a process died, and the number of processes that died while trying it alone. */
export interface Suspect {
  readonly offset: bigint;
  readonly times: number;
}

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The markers of one consumer group. Implemented by the store, used by the consumer. All methods throw ServiceError `store.*`. */
export interface InFlight {
  raise(at: TopicPartition, marker: Marker): Promise<void>;
  /**
   * Removes the marker of this process, but not one that another process has raised since. If messages are still
   * suspected, replaces it with a marker without an owner, for the process that gets the partition next.
   */
  lower(at: TopicPartition, suspicion?: Marker): Promise<void>;
  /** The marker that a process did not lower, or that has no owner; undefined when there is none. */
  left(at: TopicPartition): Promise<Marker | undefined>;
}
