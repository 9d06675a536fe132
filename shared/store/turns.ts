/**
 * Queues this process's changes to the same document. Firestore serialises them too, but by locks and retries, which
 * cost seconds where a queue costs nothing.
 */
import type { DocumentReference, Firestore } from '@google-cloud/firestore';

const lastTurns = new WeakMap<Firestore, Map<string, Promise<unknown>>>();

/** Runs `work` after the earlier ones on the same document, whether they succeeded or failed. */
export async function inTurn<T>(document: DocumentReference, work: () => Promise<T>): Promise<T> {
  const turns = lastTurns.get(document.firestore) ?? new Map<string, Promise<unknown>>();
  lastTurns.set(document.firestore, turns);
  const before = turns.get(document.path) ?? Promise.resolve();
  const turn = before.then(work, work);
  turns.set(document.path, turn);
  try {
    return await turn;
  } finally {
    if (turns.get(document.path) === turn) turns.delete(document.path);
  }
}
