/** What becomes of failures: a database that is not there, and one that finds fault with the call. */
import { expect, it, vi } from 'vitest';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { connectFirestore, deleteAll, inTransaction, translated } from './firestore.ts';

/** Nobody listens there. */
function nowhere() {
  vi.stubEnv('FIRESTORE_EMULATOR_HOST', '127.0.0.1:9');
  const db = connectFirestore({ GOOGLE_CLOUD_PROJECT: 'demo-nowhere' });
  vi.unstubAllEnvs();
  return { db, doc: db.collection('patients').doc('1') };
}

// The client's own patience is ten minutes.
it.concurrent.each<[string, (at: ReturnType<typeof nowhere>) => Promise<unknown>]>([
  ['a single write', ({ doc }) => translated(() => doc.set({ id: 1 }))],
  ['a batch', ({ db, doc }) => translated(() => db.batch().create(doc, { id: 1 }).commit())],
  ['a transaction', ({ db, doc }) => inTransaction(db, async (transaction) => transaction.create(doc, {}))],
])('gives up %s within the time of a test', async (_, write) => {
  await expect(write(nowhere())).rejects.toMatchObject({ code: expect.stringMatching(/^store\./) });
});

it('does not wait for an answer that does not come', async () => {
  vi.useFakeTimers();
  const asking = translated(() => new Promise<never>(() => {}));
  vi.advanceTimersByTime(60_000);
  vi.useRealTimers();
  await expect(asking).rejects.toMatchObject({ code: 'store.unavailable' });
});

it.each([
  ['The referenced transaction has expired or is no longer valid', 'store.unavailable'],
  ['Transaction is invalid or closed.', 'store.unavailable'],
  ['Invalid transaction.', 'store.unavailable'],
  ['Transaction too big. Decrease transaction size.', 3],
  ['A document cannot be written because its size exceeds the maximum', 3],
])('judges INVALID_ARGUMENT by what is invalid: %s', async (message, code) => {
  const answer = Object.assign(new Error(message), { code: 3 });
  await expect(translated(() => Promise.reject(answer))).rejects.toMatchObject({ code });
});

it('does not take a document that can never be stored for a fault that will pass', async () => {
  const { db } = patientsWorld();
  const tooLarge = { text: 'x'.repeat(1_100_000) };
  const writing = translated(() => db.collection('patients').doc('1').set(tooLarge));
  await expect(writing).rejects.toMatchObject({ code: 3 });
});

it('deletes in smaller commits what is too much for one', async () => {
  const { db } = patientsWorld();
  const docs = Array.from({ length: 7 }, (_, n) => db.collection('outbox').doc(String(n)));
  for (const doc of docs) await doc.set({});
  const batch = db.batch.bind(db);
  const sizes: number[] = [];
  // The emulator does not count what a deletion is charged with.
  vi.spyOn(db, 'batch').mockImplementation(() => {
    const real = batch();
    const [add, commit] = [real.delete.bind(real), real.commit.bind(real)];
    let size = 0;
    real.delete = (...deletion) => {
      size += 1;
      return add(...deletion);
    };
    real.commit = async () => {
      sizes.push(size);
      if (size > 2)
        throw Object.assign(new Error('Transaction too big. Decrease transaction size.'), { code: 3 });
      return commit();
    };
    return real;
  });

  await deleteAll(
    db,
    docs.map((ref) => ({ ref })),
  );

  expect((await db.collection('outbox').get()).size).toBe(0);
  expect(sizes).toEqual([7, 4, 2, 2, 3, 2, 1]);
});
