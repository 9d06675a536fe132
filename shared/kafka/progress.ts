/** How far a partition is done without a gap: work ends in any order, offsets are committed in theirs. */
import { Queue } from './queue.ts';

/** Offsets up to `next`, which are done together. */
export interface Step {
  readonly from: bigint;
  readonly next: bigint;
  /** What it holds in memory. */
  readonly bytes: number;
  done: boolean;
}

/**
 * The steps of one partition, from the first that is not done. Steps are added in the order of their offsets.
 */
export class Progress<S extends Step> {
  /** Taken over and not done, or done behind one that is not. */
  private readonly steps = new Queue<S>();
  private expected: bigint;
  private held = 0;

  constructor(start: bigint) {
    this.expected = start;
  }

  /** The first offset that has not been taken over. */
  get next(): bigint {
    return this.expected;
  }

  /** The first offset that is not done. */
  get open(): bigint {
    return this.steps.first?.from ?? this.expected;
  }

  get bytes(): number {
    return this.held;
  }

  add(step: S): void {
    this.steps.push(step);
    this.expected = step.next;
    this.held += step.bytes;
  }

  /** @returns the offset up to which everything is done, where that has moved */
  advance(): bigint | undefined {
    let next: bigint | undefined;
    for (let step = this.steps.first; step?.done === true; step = this.steps.first) {
      this.steps.shift();
      this.held -= step.bytes;
      next = step.next;
    }
    return next;
  }
}
