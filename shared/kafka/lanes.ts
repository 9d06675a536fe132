/**
 * Orders work: the items of a lane run one after another, and the lanes take turns. An item without a lane waits for all
 * items before it, and all items after it wait for that item.
 */
import { Queue } from './queue.ts';

interface Waiting<T> {
  readonly lane: string | undefined;
  readonly item: T;
}

/** The lane of an item that has none. */
const ALONE = Symbol('alone');
/** A lane's name, or the mark of an item that must run alone. */
export type Lane = string | typeof ALONE;

/** The waiting items in their lanes. It only orders them: the caller runs them. */
export class Lanes<T> {
  private readonly queues = new Map<Lane, Queue<T>>();
  /** Lanes whose first item has not been begun. */
  private readonly ready = new Queue<Lane>();
  /** Items without a lane that may not begin yet, and whatever came after them. */
  private readonly waiting = new Queue<Waiting<T>>();

  add(lane: string | undefined, item: T): void {
    this.waiting.push({ lane, item });
    this.admit();
  }

  /** The item to begin next; undefined when none may begin. */
  next(): { readonly lane: Lane; readonly item: T } | undefined {
    const lane = this.ready.first;
    const item = lane === undefined ? undefined : this.queues.get(lane)?.first;
    return lane === undefined || item === undefined ? undefined : { lane, item };
  }

  /** Begins the item that {@link next} returns: its lane waits until {@link done}. */
  begin(): void {
    this.ready.shift();
  }

  /** Marks the lane's current item as done. */
  done(lane: Lane): void {
    const queue = this.queues.get(lane);
    queue?.shift();
    if (queue !== undefined && queue.first !== undefined) this.ready.push(lane);
    else this.queues.delete(lane);
    this.admit();
  }

  /** Moves items into their lanes, up to the next one that must run alone. */
  private admit(): void {
    for (let next = this.waiting.first; next !== undefined; next = this.waiting.first) {
      if (this.queues.has(ALONE) || (next.lane === undefined && this.queues.size > 0)) return;
      this.waiting.shift();
      this.enter(next.lane ?? ALONE, next.item);
    }
  }

  private enter(lane: Lane, item: T): void {
    const queue = this.queues.get(lane) ?? new Queue<T>();
    if (queue.first === undefined) {
      this.queues.set(lane, queue);
      this.ready.push(lane);
    }
    queue.push(item);
  }
}
