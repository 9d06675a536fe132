/** What becomes of failures: a database that is not there, and one that finds fault with the call. */
import { expect, it, vi } from 'vitest';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { connectFirestore, inTransaction, translated } from './firestore.ts';

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
])('gives up %s within the time of a test', { timeout: 60_000 }, async (_, write) => {
  await expect(write(nowhere())).rejects.toMatchObject({ code: expect.stringMatching(/^store\./) });
});

it('does not take a document that can never be stored for a fault that will pass', async () => {
  const { db } = patientsWorld();
  const tooLarge = { text: 'x'.repeat(1_100_000) };
  const writing = translated(() => db.collection('patients').doc('1').set(tooLarge));
  await expect(writing).rejects.toMatchObject({ code: 3 });
});
