/**
 * Where the reading of a partition begins or goes on: the one place that decides it, whether the partition was just
 * assigned or the broker has refused the position. A wrong guess must repeat messages, never lose them: every effect
 * is applied once however often its message comes.
 */

/** The first readable offset of a partition and the one after the last. */
export interface OffsetRange {
  readonly low: bigint;
  readonly high: bigint;
}

/** What the group has stored for a partition. */
export interface CommittedOffset {
  /** The next offset to read. */
  readonly offset: bigint;
  /** The topic that it was read from; undefined where the commit does not say. */
  readonly topicId: string | undefined;
}

/** What is known of a partition when its position is decided. */
export interface PositionFacts {
  readonly committed: CommittedOffset | undefined;
  readonly range: OffsetRange;
  /** Of the topic that has the name now; undefined where the brokers do not say. */
  readonly topicId: string | undefined;
}

/** Where to read on, and why there. */
export interface Position {
  readonly start: bigint;
  readonly why:
    | 'continued'
    /** The group has never read the partition. */
    | 'first'
    /** The topic was deleted, and another one has its name. */
    | 'recreated'
    /** Retention, or an operator, has deleted what the group had not read. */
    | 'expired'
    /** The partition ends before the position: replicas have lost its tail, or an older broker hides a new topic. */
    | 'truncated';
  /** Messages that were deleted unread, as far as that can be known. */
  readonly missing: bigint;
}

/** Decides where to read on. Pure; where the facts allow two answers it takes the earlier offset. */
export function decidePosition({ committed, range, topicId }: PositionFacts): Position {
  if (committed === undefined) return { start: range.low, why: 'first', missing: 0n };
  const { offset } = committed;
  const isSame = topicId === undefined || committed.topicId === undefined || committed.topicId === topicId;
  if (!isSame) return { start: range.low, why: 'recreated', missing: range.low };
  if (offset < range.low) return { start: range.low, why: 'expired', missing: range.low - offset };
  if (offset > range.high) return { start: range.low, why: 'truncated', missing: 0n };
  return { start: offset, why: 'continued', missing: 0n };
}

/** Begins what we keep beside a committed offset. */
const TOPIC_ID = 'topic-id:';

/** What to store beside an offset, so that {@link topicIdIn} finds the topic it is of. */
export function metadataOf(topicId: string | undefined): string | null {
  return topicId === undefined ? null : TOPIC_ID + topicId;
}

/** The topic that a commit says it is of; undefined where it does not say. */
export function topicIdIn(metadata: string | null): string | undefined {
  return metadata?.startsWith(TOPIC_ID) === true ? metadata.slice(TOPIC_ID.length) : undefined;
}
