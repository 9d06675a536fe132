/** Decides which partitions are fetched: a partition is not fetched while any reason holds it. */

/** Why a partition is not fetched. */
export type HoldReason =
  /** Its buffer is full. */
  | 'full'
  /** It is stopped at a batch that cannot be read. */
  | 'unreadable'
  /** Its position is being decided. */
  | 'opening';

/** Pauses a partition at its first reason to be held and resumes it when the last reason is gone. */
export class FetchGate {
  private readonly held = new Map<number, Set<HoldReason>>();
  private readonly pause: (partition: number) => void;
  private readonly resume: (partition: number) => void;

  constructor(pause: (partition: number) => void, resume: (partition: number) => void) {
    this.pause = pause;
    this.resume = resume;
  }

  isHeld(partition: number, reason: HoldReason): boolean {
    return this.held.get(partition)?.has(reason) === true;
  }

  hold(partition: number, reason: HoldReason): void {
    const reasons = this.held.get(partition) ?? new Set();
    if (reasons.size === 0) this.pause(partition);
    this.held.set(partition, reasons.add(reason));
  }

  release(partition: number, reason: HoldReason): void {
    const reasons = this.held.get(partition);
    if (reasons?.delete(reason) === true && reasons.size === 0) this.resume(partition);
  }

  /** Holds exactly these partitions, for the reason `opening`. */
  restart(partitions: readonly number[]): void {
    this.held.clear();
    for (const partition of partitions) this.hold(partition, 'opening');
  }
}
