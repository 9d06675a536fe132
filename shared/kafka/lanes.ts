/** The order of work: the items of a lane one after another, the lanes in turn. */
export class Lanes<T> {
  private readonly queues = new Map<string, T[]>();
  /** Lanes whose first item has not been begun. */
  private readonly ready: string[] = [];

  add(lane: string, item: T): void {
    const queue = this.queues.get(lane);
    if (queue !== undefined) {
      queue.push(item);
      return;
    }
    this.queues.set(lane, [item]);
    this.ready.push(lane);
  }

  /** What would begin next. */
  next(): { readonly lane: string; readonly item: T } | undefined {
    const lane = this.ready[0];
    const item = lane === undefined ? undefined : this.queues.get(lane)?.[0];
    return lane === undefined || item === undefined ? undefined : { lane, item };
  }

  /** Begins what is {@link next}: its lane waits until {@link done}. */
  begin(): void {
    this.ready.shift();
  }

  /** The item that the lane had begun is done. */
  done(lane: string): void {
    const queue = this.queues.get(lane);
    queue?.shift();
    if (queue !== undefined && queue.length > 0) this.ready.push(lane);
    else this.queues.delete(lane);
  }
}
