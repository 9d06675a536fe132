/**
 * The offsets that a member has yet to commit for its group. Several become one commit, and one commit runs at a time;
 * the offsets of a failed commit go into the next.
 */
const COMMIT_EVERY_MS = 100;

/** Collects the next offset of each partition and stores them together every 100 ms. */
export class OffsetCommits {
  private readonly due = new Map<number, bigint>();
  private readonly store: (offsets: ReadonlyMap<number, bigint>) => Promise<void>;
  private readonly onFailure: (error: unknown) => void;
  private running: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    store: (offsets: ReadonlyMap<number, bigint>) => Promise<void>,
    onFailure: (error: unknown) => void,
  ) {
    this.store = store;
    this.onFailure = onFailure;
  }

  /** Notes that everything before `next` is done. */
  note(partition: number, next: bigint): void {
    this.due.set(partition, next);
    this.timer ??= setTimeout(() => void this.flush(), COMMIT_EVERY_MS);
  }

  /** Drops the pending offset of the partition, if there is one. */
  forget(partition: number): void {
    this.due.delete(partition);
  }

  /** Drops the pending offsets of all other partitions. */
  keep(partitions: readonly number[]): void {
    for (const partition of this.due.keys()) {
      if (!partitions.includes(partition)) this.due.delete(partition);
    }
  }

  /** Commits the pending offsets after the running commit has ended; never rejects. */
  flush(): Promise<void> {
    this.cancel();
    this.running = this.running.then(() => this.commit());
    return this.running;
  }

  /** Stops the timed commits. */
  cancel(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private async commit(): Promise<void> {
    if (this.due.size === 0) return;
    const offsets = new Map(this.due);
    try {
      await this.store(offsets);
      for (const [partition, offset] of offsets) {
        if (this.due.get(partition) === offset) this.due.delete(partition);
      }
    } catch (error) {
      this.onFailure(error);
    }
  }
}
