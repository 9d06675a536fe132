/**
 * Decides where to read a partition, both after it was assigned and after the broker has refused the position. A wrong
 * guess must repeat messages, never lose them: every effect is applied once however often its message is read.
 */

/** The first readable offset of a partition and the one after the last. */
export interface OffsetRange {
  readonly low: bigint;
  readonly high: bigint;
}

/** The offset that the group has committed for a partition. */
export interface CommittedOffset {
  /** The next offset to read. */
  readonly offset: bigint;
  /** The topic that it was read from; undefined where the commit does not say. */
  readonly topicId: string | undefined;
}

/** The facts from which the position of a partition is decided. */
export interface PositionFacts {
  readonly committed: CommittedOffset | undefined;
  readonly range: OffsetRange;
  /** The id of the topic that has the name now; undefined when the brokers do not send one. */
  readonly topicId: string | undefined;
}

/** Where to continue reading, and why. */
export interface Position {
  readonly start: bigint;
  readonly why:
    | 'continued'
    /** The group has never read the partition. */
    | 'first'
    /** The topic was deleted and created again under the same name. */
    | 'recreated'
    /** Retention or an operator deleted messages that the group had not read. */
    | 'expired'
    /** The partition ends before the position: replicas lost its tail, or a broker without topic ids has a new topic. */
    | 'truncated';
  /** Messages that were deleted unread, as far as that can be known. */
  readonly missing: bigint;
}

/** Decides where to continue reading. Pure; when the facts allow two answers it chooses the earlier offset. */
export function decidePosition({ committed, range, topicId }: PositionFacts): Position {
  if (committed === undefined) return { start: range.low, why: 'first', missing: 0n };
  const { offset } = committed;
  const isSame = topicId === undefined || committed.topicId === undefined || committed.topicId === topicId;
  if (!isSame) return { start: range.low, why: 'recreated', missing: range.low };
  if (offset < range.low) return { start: range.low, why: 'expired', missing: range.low - offset };
  if (offset > range.high) return { start: range.low, why: 'truncated', missing: 0n };
  return { start: offset, why: 'continued', missing: 0n };
}

/** Prefix of the metadata that this service stores with a committed offset. */
const TOPIC_ID = 'topic-id:';

/** The metadata to commit with an offset, from which {@link topicIdIn} reads the topic's id. */
export function metadataOf(topicId: string | undefined): string | null {
  return topicId === undefined ? null : TOPIC_ID + topicId;
}

/** The topic id in a commit's metadata; undefined when there is none. */
export function topicIdIn(metadata: string | null): string | undefined {
  return metadata?.startsWith(TOPIC_ID) === true ? metadata.slice(TOPIC_ID.length) : undefined;
}
