/**
 * Finds the message of a partition that kills the process each time, from the markers of dead processes
 * (shared/platform/in-flight.ts). Such a message kills five processes before it becomes a dead letter:
 *
 * 1. The marker of the first process covers up to {@link CLAIM} messages; most such deaths have another cause.
 * 2. The next process handles these as fast as before, but notes each message before it starts it. When it dies too, the
 *    few messages in progress are suspects.
 * 3. From then on a suspect is tried alone, with nothing else running in the process. A suspect that completes is
 *    cleared; one that {@link DEADLY_TIMES} processes died on is deadly.
 *
 * Pure: the caller stores the markers and runs the messages.
 */
import type { Marker } from '../platform/in-flight.ts';

/** How many offsets one marker covers while nothing is suspected: a quiet topic pays one write for many messages. */
export const CLAIM = 200n;

/**
 * Dead-letter a message after this many processes ended while they tried it alone. More than one, since a process can
 * also be killed for another reason.
 */
export const DEADLY_TIMES = 3;

/** The suspicion in one partition: which messages may have ended a process, and what a marker must say. */
export class Trial {
  /** Messages before this offset may have ended a process: until they are done, each message is noted. */
  private readonly until: bigint;
  private readonly suspects: Map<bigint, number>;
  private open: bigint;
  private readonly inWork = new Set<bigint>();
  /** What the stored marker covers: all messages before this offset, and the single messages in `noted`. */
  private claimed = 0n;
  private noted: ReadonlySet<bigint> = new Set();

  /**
   * @param left the marker that a dead process left
   * @param start messages before it are done
   */
  constructor(left: Marker | undefined, start: bigint) {
    const { offsets = [], alone = false } = left?.inWork ?? {};
    const suspects = new Map(left?.suspects.map(({ offset, times }) => [offset, times]));
    for (const offset of offsets) suspects.set(offset, (suspects.get(offset) ?? 0) + (alone ? 1 : 0));
    this.suspects = new Map([...suspects].filter(([offset]) => offset >= start));
    this.until = [...this.suspects.keys()].reduce(
      (until, offset) => (offset >= until ? offset + 1n : until),
      left?.until ?? 0n,
    );
    this.open = start;
  }

  /** How many processes have ended while they tried the message alone. */
  times(offset: bigint): number {
    return this.suspects.get(offset) ?? 0;
  }

  isSuspect(offset: bigint): boolean {
    return this.suspects.has(offset);
  }

  isDeadly(offset: bigint): boolean {
    return this.times(offset) >= DEADLY_TIMES;
  }

  /** Notes that the message starts as soon as the marker covers it. */
  begin(offset: bigint): void {
    this.inWork.add(offset);
  }

  /** Notes that the work on the message has ended, with or without success. */
  end(offset: bigint): void {
    this.inWork.delete(offset);
  }

  acquit(offset: bigint): void {
    this.suspects.delete(offset);
  }

  /** Notes that everything before `open` is done. */
  advance(open: bigint): void {
    this.open = open;
  }

  isCovered(offset: bigint): boolean {
    return this.isCareful ? this.noted.has(offset) : offset < this.claimed;
  }

  /** The marker that covers the messages in progress. */
  marker(): Marker {
    const offsets = [...this.inWork];
    if (!this.isCareful) {
      const last = offsets.reduce((last, offset) => (offset > last ? offset : last), this.open);
      return { until: last + CLAIM, suspects: [] };
    }
    return { ...this.doubt(), inWork: { offsets, alone: offsets.some((offset) => this.isSuspect(offset)) } };
  }

  /** Notes that the marker is stored. */
  raised({ until, inWork }: Marker): void {
    this.claimed = inWork === undefined ? until : 0n;
    this.noted = new Set(inWork?.offsets);
  }

  /** What the next process must know when this one ends in order. */
  suspicion(): Marker | undefined {
    return this.isCareful ? this.doubt() : undefined;
  }

  private get isCareful(): boolean {
    return this.open < this.until;
  }

  private doubt(): Marker {
    return {
      until: this.until,
      suspects: [...this.suspects].map(([offset, times]) => ({ offset, times })),
    };
  }
}
