import type { Firestore } from '@google-cloud/firestore';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loseNextAnswer, repeatNextCommit } from '../../test/support/lost-answer.ts';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { isAlreadyExists, isPreconditionLost } from './firestore.ts';
import { commitTogether } from './group-commit.ts';

let db: Firestore;
beforeEach(() => ({ db } = patientsWorld()));
afterEach(async () => {
  vi.restoreAllMocks();
  await db.terminate();
});

const create = (id: string, data: object = {}) =>
  commitTogether(db, (batch) => void batch.create(db.doc(`things/${id}`), data));
const stored = async () => (await db.collection('things').get()).docs.map(({ id }) => id);

describe('writes that are ready at once', () => {
  it('share a request, at most ten each', async () => {
    const requests = vi.spyOn(db, 'batch');
    await Promise.all(Array.from({ length: 25 }, (_, n) => create(`t${n}`)));
    expect(requests).toHaveBeenCalledTimes(3);
    expect(await stored()).toHaveLength(25);
  });

  it('share no request that the emulator would never answer, because it is too large', async () => {
    const requests = vi.spyOn(db, 'batch');
    await Promise.all(Array.from({ length: 4 }, (_, n) => create(`t${n}`, { text: 'x'.repeat(200_000) })));
    expect(requests).toHaveBeenCalledTimes(2);
  });

  it('are not refused because of another', async () => {
    await create('taken');
    const results = await Promise.allSettled([create('a'), create('taken'), create('b')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(isAlreadyExists((results[1] as PromiseRejectedResult).reason)).toBe(true);
    expect(await stored()).toEqual(['a', 'b', 'taken']);
  });

  it('are not refused because Firestore cannot take another', async () => {
    const results = await Promise.allSettled([
      create('a'),
      create('big', { map: { text: 'x'.repeat(2 ** 20) } }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });

  it('of the same document have commits of their own, each checked against the one before', async () => {
    await create('count', { n: 0 });
    const doc = db.doc('things/count');
    const { updateTime } = await doc.get();
    const raise = (n: number) =>
      commitTogether(db, (batch) => batch.update(doc, { n }, { lastUpdateTime: updateTime! }));
    const raised = await Promise.allSettled([create('a'), raise(1), raise(2)]);
    expect(raised.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    const made = await Promise.allSettled([create('same'), create('same')]);
    expect(made.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  it('each find what they wrote themselves when the client repeated the commit', async () => {
    repeatNextCommit('things');
    const results = await Promise.allSettled([create('a'), create('b')]);
    for (const result of results)
      expect(isAlreadyExists((result as PromiseRejectedResult).reason)).toBe(true);
    expect(await stored()).toEqual(['a', 'b']);
  });

  it('are all in doubt without an answer, and none is sent again', async () => {
    const requests = vi.spyOn(db, 'batch');
    loseNextAnswer(undefined, 'things');
    const results = await Promise.allSettled([create('a'), create('b')]);
    for (const result of results) expect(result).toMatchObject({ reason: { code: 'store.unavailable' } });
    expect(requests).toHaveBeenCalledTimes(1);
  });

  it('refuse an update of a document that does not exist', async () => {
    const update = commitTogether(db, (batch) => batch.update(db.doc('things/gone'), { n: 1 }));
    await expect(update).rejects.toSatisfy(isPreconditionLost);
    expect(await stored()).toEqual([]);
  });
});
