/**
 * Lets changes that wait for the same document share one turn (turns.ts), and so one transaction. If a shared turn fails,
 * each of its changes is tried by itself, so that none fails because of another.
 */
import type { DocumentReference } from '@google-cloud/firestore';
import { inTurn } from './turns.ts';

interface Waiting<T, R> {
  readonly item: T;
  done: { readonly result: R } | undefined;
}

/** Limits of one shared turn: a commit and a query of Firestore are limited too. */
export interface SharedLimits<T> {
  readonly items: number;
  readonly bytes: number;
  readonly bytesOf: (item: T) => number;
}

/**
 * @param work does one or several items of a document, and returns their results in the same order
 * @returns a function that adds an item; it resolves or rejects with the result of that item
 */
export function sharedTurns<T, R>(
  limits: SharedLimits<T>,
  work: (items: readonly T[]) => Promise<readonly R[]>,
): (document: DocumentReference, item: T) => Promise<R> {
  /** The items of each document that no turn has taken yet. */
  const byDocument = new Map<string, Set<Waiting<T, R>>>();

  async function turn(mine: Waiting<T, R>, waiting: Set<Waiting<T, R>>): Promise<R> {
    if (waiting.has(mine)) await share(take(waiting, limits));
    if (mine.done !== undefined) return mine.done.result;
    const [result] = await work([mine.item]);
    return result as R;
  }

  async function share(together: readonly Waiting<T, R>[]): Promise<void> {
    if (together.length === 1) return;
    try {
      const results = await work(together.map(({ item }) => item));
      for (const [at, one] of together.entries()) one.done = { result: results[at] as R };
    } catch {
      // The cause is not lost: each item is now done by itself, and succeeds or fails in its own turn.
    }
  }

  return (document, item) => {
    const mine: Waiting<T, R> = { item, done: undefined };
    const waiting = byDocument.get(document.path) ?? new Set();
    byDocument.set(document.path, waiting.add(mine));
    return inTurn(document, async () => {
      try {
        return await turn(mine, waiting);
      } finally {
        if (waiting.size === 0 && byDocument.get(document.path) === waiting) byDocument.delete(document.path);
      }
    });
  };
}

/** Takes the items that wait longest, as far as the limits allow, but at least one. */
function take<T, R>(waiting: Set<Waiting<T, R>>, limits: SharedLimits<T>): Waiting<T, R>[] {
  const together: Waiting<T, R>[] = [];
  let bytes = 0;
  for (const one of waiting) {
    bytes += limits.bytesOf(one.item);
    if (together.length === limits.items || (together.length > 0 && bytes > limits.bytes)) break;
    together.push(one);
    waiting.delete(one);
  }
  return together;
}
