/** A lock for shared and exclusive work. Requests are served in order, so that neither kind starves. */
interface Waiting {
  readonly alone: boolean;
  readonly enter: () => void;
}

/** Lets shared work run concurrently, and exclusive work run alone. */
export class SharedLock {
  private readonly waiting: Waiting[] = [];
  private running = 0;
  private taken = false;

  /** Runs `work` concurrently with other shared work. */
  shared<T>(work: () => Promise<T>): Promise<T> {
    return this.run(false, work);
  }

  /** Runs `work` while no other work runs. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.run(true, work);
  }

  private async run<T>(alone: boolean, work: () => Promise<T>): Promise<T> {
    if (this.waiting.length > 0 || !this.mayEnter(alone)) {
      await new Promise<void>((enter) => {
        this.waiting.push({ alone, enter });
      });
    } else {
      this.take(alone);
    }
    try {
      return await work();
    } finally {
      this.running -= 1;
      this.taken = false;
      this.admit();
    }
  }

  private mayEnter(alone: boolean): boolean {
    return !this.taken && (!alone || this.running === 0);
  }

  private take(alone: boolean): void {
    this.running += 1;
    this.taken = alone;
  }

  private admit(): void {
    for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
      if (!this.mayEnter(next.alone)) return;
      this.waiting.shift();
      this.take(next.alone);
      next.enter();
    }
  }
}
