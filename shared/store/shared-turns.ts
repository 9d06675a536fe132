/**
 * Lets changes of documents that wait at the same time share one write, which costs much less than one for each.
 * The changes of a document still happen one after another. If a shared write fails, each of its changes is tried by
 * itself, so that none fails because of another; and a document whose change failed delays no others until one succeeds.
 */
import type { DocumentReference } from '@google-cloud/firestore';
import { inTurn } from './turns.ts';

/** How much is done at once. */
export interface SharedLimits<T> {
  /** Shared writes that run at the same time. Changes that come meanwhile wait and share the next one. */
  readonly running: number;
  /** Changes in one write. */
  readonly items: number;
  /** Bytes in one write of several changes. */
  readonly bytes: number;
  readonly bytesOf: (item: T) => number;
}

interface Waiting<T, R> {
  readonly document: DocumentReference;
  readonly item: T;
  readonly done: PromiseWithResolvers<R>;
  /** Must not share a write. */
  readonly isAlone: boolean;
}

/**
 * @param work does one or several changes in one write, and returns their results in the same order
 * @returns a function that adds a change of a document; it resolves or rejects with the result of that change
 */
export function sharedTurns<T, R>(
  limits: SharedLimits<T>,
  work: (items: readonly T[]) => Promise<readonly R[]>,
): (document: DocumentReference, item: T) => Promise<R> {
  /** As many as the callers do at once. */
  let waiting: Waiting<T, R>[] = [];
  /** Paths of the documents that are being changed. */
  const busy = new Set<string>();
  /** Paths of the documents whose last change failed. */
  const failed = new Set<string>();
  let running = 0;

  function begin(): void {
    for (const one of firstOfEach(startable())) if (one.isAlone) void run([one], 0);
    while (running < limits.running) {
      const together = take(startable(), limits);
      if (together.length === 0) return;
      void run(together, 1);
    }
  }

  function startable(): Waiting<T, R>[] {
    return waiting.filter(({ document }) => !busy.has(document.path));
  }

  /** @param slots of the limit, which changes that are alone do not use: they may take long */
  async function run(together: readonly Waiting<T, R>[], slots: 0 | 1): Promise<void> {
    const documents = firstOfEach(together).map(({ document }) => document);
    waiting = waiting.filter((one) => !together.includes(one));
    for (const { path } of documents) busy.add(path);
    running += slots;
    try {
      const results = await inTurn(documents, () => work(together.map(({ item }) => item)));
      for (const { path } of documents) failed.delete(path);
      for (const [at, { done }] of together.entries()) done.resolve(results[at] as R);
    } catch (error) {
      const [only, ...others] = together;
      if (only !== undefined && others.length === 0) {
        failed.add(only.document.path);
        only.done.reject(error);
      } else {
        // The cause is not lost: each change is now done by itself, and its own result counts.
        waiting = [...together.map((one) => ({ ...one, isAlone: true })), ...waiting];
      }
    }
    running -= slots;
    for (const { path } of documents) busy.delete(path);
    begin();
  }

  return (document, item) => {
    const done = Promise.withResolvers<R>();
    waiting.push({ document, item, done, isAlone: failed.has(document.path) });
    // Not at once: changes that are added without a pause share a write.
    queueMicrotask(begin);
    return done.promise;
  };
}

/** The first change of each document. */
function firstOfEach<T, R>(changes: readonly Waiting<T, R>[]): Waiting<T, R>[] {
  const seen = new Set<string>();
  return changes.filter(({ document }) => {
    const isFirst = !seen.has(document.path);
    seen.add(document.path);
    return isFirst;
  });
}

/** The changes that wait longest, as far as the limits allow. */
function take<T, R>(changes: readonly Waiting<T, R>[], limits: SharedLimits<T>): Waiting<T, R>[] {
  const together: Waiting<T, R>[] = [];
  let bytes = 0;
  for (const one of changes) {
    if (one.isAlone) continue;
    bytes += limits.bytesOf(one.item);
    if (together.length === limits.items || (together.length > 0 && bytes > limits.bytes)) break;
    together.push(one);
  }
  return together;
}
