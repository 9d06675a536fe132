/**
 * Finds the message of a partition that ends the process each time, by the markers of dead processes (shared/platform/in-flight.ts). A
 * message that kills costs five processes:
 *
 * 1. The first was not careful: its marker covers up to {@link CLAIM} messages, and most such deaths have another cause.
 * 2. The next process works on these as fast as before, but notes each message before it begins it. When it dies too, the
 *    few messages in work are suspects.
 * 3. From then on a suspect is tried alone, with nothing else running in the process. One that is done is acquitted; one
 *    that {@link DEADLY_TIMES} processes died on is deadly.
 *
 * Pure: who stores the markers and runs the messages is the owner's business.
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
  /** What the stored marker covers: all before an offset, or single messages. */
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

  /** The message is to be worked on as soon as the marker covers it. */
  begin(offset: bigint): void {
    this.inWork.add(offset);
  }

  /** The work on the message has ended, with or without success. */
  end(offset: bigint): void {
    this.inWork.delete(offset);
  }

  acquit(offset: bigint): void {
    this.suspects.delete(offset);
  }

  /** Everything before `open` is done. */
  advance(open: bigint): void {
    this.open = open;
  }

  isCovered(offset: bigint): boolean {
    return this.isCareful ? this.noted.has(offset) : offset < this.claimed;
  }

  /** The marker that covers what is in work. */
  marker(): Marker {
    const offsets = [...this.inWork];
    if (!this.isCareful) {
      const last = offsets.reduce((last, offset) => (offset > last ? offset : last), this.open);
      return { until: last + CLAIM, suspects: [] };
    }
    return { ...this.doubt(), inWork: { offsets, alone: offsets.some((offset) => this.isSuspect(offset)) } };
  }

  /** The marker is stored. */
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
