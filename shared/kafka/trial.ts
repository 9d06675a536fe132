/**
 * Which messages of a partition are tried one by one because a process ended while it worked on them, and which marker
 * covers the next ones (shared/platform/in-flight.ts).
 */
import type { Marker } from '../platform/in-flight.ts';

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

export class Trial {
  private readonly until: bigint;
  /** How many processes have ended while the message at this offset was tried. */
  private readonly suspects: Map<bigint, number>;
  private claimed = 0n;

  /**
   * @param left the marker that a dead process left
   * @param start messages before it are done
   */
  constructor(left: Marker | undefined, start: bigint) {
    this.until = left?.until ?? 0n;
    const open = (left?.suspects ?? []).filter(({ offset }) => offset >= start);
    this.suspects = new Map(open.map(({ offset, times }) => [offset, times]));
  }

  /** True of a message that is tried alone. */
  covers(offset: bigint): boolean {
    return offset < this.until;
  }

  times(offset: bigint): number {
    return this.suspects.get(offset) ?? 0;
  }

  /** True of a message that has ended too many processes. */
  isDeadly(offset: bigint): boolean {
    return this.covers(offset) && this.times(offset) >= DEADLY_TIMES;
  }

  acquit(offset: bigint): void {
    this.suspects.delete(offset);
  }

  /** True of a message that needs a new marker before it is begun. */
  needsMarker(offset: bigint): boolean {
    return offset >= this.claimed;
  }

  /** The marker to raise before the message is begun. */
  markerFor(offset: bigint): Marker {
    return this.marker(this.covers(offset) ? this.until : offset + CLAIM);
  }

  raised({ until }: Marker): void {
    this.claimed = until;
  }

  /** What is left of the dead process's marker, when everything before `open` is done. */
  suspicion(open: bigint): Marker | undefined {
    return this.covers(open) ? this.marker(this.until) : undefined;
  }

  private marker(until: bigint): Marker {
    return { until, suspects: [...this.suspects].map(([offset, times]) => ({ offset, times })) };
  }
}
