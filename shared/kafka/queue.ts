/** The array is cut after this many items have been taken out. */
const CUT_AT = 1_000;

/** First in, first out, in constant amortised time: Array.shift moves all remaining items of a long array. */
export class Queue<T> {
  private items: T[] = [];
  private begin = 0;

  get first(): T | undefined {
    return this.items[this.begin];
  }

  push(item: T): void {
    this.items.push(item);
  }

  shift(): void {
    if (this.begin === this.items.length) return;
    this.begin += 1;
    if (this.begin < CUT_AT || this.begin * 2 < this.items.length) return;
    this.items = this.items.slice(this.begin);
    this.begin = 0;
  }
}
