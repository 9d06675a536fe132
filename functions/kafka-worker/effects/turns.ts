/**
 * Work on the same thing takes turns within this process. Firestore would sort out the collision as well, but
 * pays for it with repeated transactions.
 */
export type Turns = <T>(key: number, work: () => Promise<T>) => Promise<T>;

export function createTurns(): Turns {
  const last = new Map<number, Promise<unknown>>();
  return async (key, work) => {
    const turn = (last.get(key) ?? Promise.resolve()).then(work, work);
    last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (last.get(key) === turn) last.delete(key);
    }
  };
}
