/** Tracks how far a partition is done without a gap: work ends in any order, but offsets are committed in order. */
import { Queue } from './queue.ts';

/** The offsets from the previous step up to `next`, which are done together. */
export interface Step {
  readonly from: bigint;
  readonly next: bigint;
  /** Memory that the step holds. */
  readonly bytes: number;
  done: boolean;
}

/**
 * The steps of one partition, from the first that is not done. Steps are added in the order of their offsets.
 */
export class Progress<S extends Step> {
  /** Steps that are not done, and done ones that follow a step that is not. */
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

  /** @returns the offset up to which everything is done; undefined when it has not moved */
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
