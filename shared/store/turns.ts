/**
 * Queues this process's changes to the same document. Firestore serialises them too, but by locks and retries, which
 * cost seconds where a queue costs nothing.
 */
import type { DocumentReference, Firestore } from '@google-cloud/firestore';

const lastTurns = new WeakMap<Firestore, Map<string, Promise<unknown>>>();

/**
 * Runs `work` after the earlier ones on the same documents, whether they succeeded or failed.
 * @param documents all of the same database
 */
export async function inTurn<T>(documents: readonly DocumentReference[], work: () => Promise<T>): Promise<T> {
  const firestore = documents[0]?.firestore;
  if (firestore === undefined) return work();
  const turns = lastTurns.get(firestore) ?? new Map<string, Promise<unknown>>();
  lastTurns.set(firestore, turns);
  const paths = documents.map(({ path }) => path);
  // All queues are joined at once, so two callers cannot wait for each other.
  const turn = Promise.allSettled(paths.flatMap((path) => turns.get(path) ?? [])).then(work);
  for (const path of paths) turns.set(path, turn);
  try {
    return await turn;
  } finally {
    for (const path of paths) if (turns.get(path) === turn) turns.delete(path);
  }
}
