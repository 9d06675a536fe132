/**
 * Protection against a message that ends the process each time: before a partition's messages are worked on, a
 * marker is raised in a store that outlives the process. Who finds one that another process left tries its messages
 * one by one, and a message that was on trial at too many ends is the culprit.
 */

export interface Marker {
  /** Messages before this offset may have been in work. */
  readonly until: bigint;
  readonly suspects: readonly Suspect[];
}

/** A message and how many processes have ended while it was on trial. */
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
   * Takes down the marker that this process raised, not one that another has raised since. Where messages are still on
   * suspicion, a marker of nobody takes its place for whoever has the partition next.
   */
  lower(at: TopicPartition, suspicion?: Marker): Promise<void>;
  /** A marker that was not lowered by the process that raised it, or is nobody's, with what was on trial then. */
  left(at: TopicPartition): Promise<Marker | undefined>;
  /**
   * Runs `work` with the message on trial: noted beforehand, and alone in the whole process. Otherwise a killer in
   * one partition would bring those down with it that happen to be tried in the others.
   */
  try(at: TopicPartition, offset: bigint, work: () => Promise<void>): Promise<void>;
}

/**
 * One marker covers so many offsets ahead: a quiet topic pays one write for many messages, and after a
 * crash at most so many are tried one by one.
 */
export const CLAIM = 200n;

/**
 * A message that was on trial at so many ends is dead. More than one, since a process can also be killed for other
 * reasons while it tries an innocent message.
 */
export const DEADLY_TIMES = 3;
