import { randomUUID } from 'node:crypto';
import { Firestore } from '@google-cloud/firestore';
import { expect, it, onTestFinished, vi } from 'vitest';
import { eventually } from './eventually.ts';
import { startFirestoreProxy } from './firestore-proxy.ts';

async function through(seed: number, share: number) {
  const proxy = await startFirestoreProxy(process.env['FIRESTORE_EMULATOR_HOST'] ?? '', seed);
  vi.stubEnv('FIRESTORE_EMULATOR_HOST', proxy.address);
  const projectId = `demo-${randomUUID().slice(0, 8)}`;
  const db = new Firestore({ projectId });
  vi.unstubAllEnvs();
  const direct = new Firestore({ projectId });
  onTestFinished(async () => {
    await db.terminate();
    await direct.terminate();
    await proxy.close();
  });
  proxy.disturb(share);
  return { proxy, db, direct };
}

it('passes everything on when no faults are set', async () => {
  const { db, proxy } = await through(1, 0);
  const seen: number[] = [];
  const stop = db.collection('numbers').onSnapshot(({ size }) => void seen.push(size));
  await Promise.all([1, 2, 3].map((n) => db.collection('numbers').doc(String(n)).set({ n })));
  await db.runTransaction(async (transaction) => {
    const { docs } = await transaction.get(db.collection('numbers'));
    transaction.set(db.doc('sums/all'), {
      sum: docs.reduce((sum, doc) => sum + (doc.get('n') as number), 0),
    });
  });
  expect((await db.doc('sums/all').get()).get('sum')).toBe(6);
  await eventually(() => expect(seen.at(-1)).toBe(3));
  stop();
  expect(Object.values(proxy.dealt)).toEqual([0, 0, 0, 0, 0]);
});

it('loses the response of a successful commit', async () => {
  const { db, direct, proxy } = await through(4, 1);
  const creations = Array.from({ length: 30 }, (_, n) =>
    db.collection('numbers').doc(String(n)).create({ n }),
  );
  const refused = (await Promise.allSettled(creations)).filter(({ status }) => status === 'rejected');

  expect(proxy.dealt['lost-answer']).toBeGreaterThan(0);
  // The client repeats the commit and finds the document that it created itself.
  expect(refused.length).toBeGreaterThan(0);
  const { size } = await direct.collection('numbers').get();
  expect(size).toBeGreaterThan(30 - refused.length);
});

it('injects the same faults for the same seed', async () => {
  const deal = async () => {
    const { db, proxy } = await through(7, 0.5);
    for (let n = 0; n < 20; n += 1)
      await db
        .doc(`numbers/${n}`)
        .set({ n })
        .catch(() => undefined);
    return { ...proxy.dealt };
  };
  expect(await deal()).toEqual(await deal());
});

it('cuts listeners, which the clients restart', async () => {
  const { db, direct, proxy } = await through(3, 0);
  const seen: number[] = [];
  proxy.disturb(1);
  const stop = db.collection('numbers').onSnapshot(
    ({ size }) => void seen.push(size),
    () => undefined,
  );
  await eventually(() => expect(proxy.dealt['cut-listener']).toBeGreaterThan(1), 60_000);
  proxy.disturb(0);
  await direct.doc('numbers/1').set({ n: 1 });
  await eventually(() => expect(seen.at(-1)).toBe(1), 60_000);
  stop();
});
