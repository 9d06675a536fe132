import { Firestore } from '@google-cloud/firestore';
import { expect, it } from 'vitest';
import { sharedTurns } from './shared-turns.ts';

// Never connects: only the path of a document counts.
const db = new Firestore({ projectId: 'demo-turns' });
const one = db.doc('patients/1');
const other = db.doc('patients/2');

/** Turns that record which items were done together, and refuse every call with the item `bad`. */
function turns({ items = 3, bytes = 1_000 } = {}) {
  const calls: string[][] = [];
  const run = sharedTurns<string, string>({ items, bytes, bytesOf: (item) => item.length }, async (group) => {
    calls.push([...group]);
    await Promise.resolve();
    if (group.includes('bad')) throw new Error('refused');
    return group.map((item) => `${item} done`);
  });
  return { calls, run };
}

it('lets items that wait for one document share a turn, up to the limit, and gives each its own result', async () => {
  const { calls, run } = turns();
  const results = await Promise.all([...['a', 'b', 'c', 'd'].map((item) => run(one, item)), run(other, 'x')]);
  expect(results).toEqual(['a done', 'b done', 'c done', 'd done', 'x done']);
  expect(calls.toSorted()).toEqual([['a', 'b', 'c'], ['d'], ['x']]);
});

it('lets those that come while a turn runs share the next one', async () => {
  const { calls, run } = turns();
  const first = run(one, 'a');
  await Promise.resolve();
  await Promise.all([first, run(one, 'b'), run(one, 'c')]);
  expect(calls).toEqual([['a'], ['b', 'c']]);
});

it('tries each item by itself after a shared turn failed: only the cause fails', async () => {
  const { calls, run } = turns();
  const results = await Promise.allSettled(['a', 'bad', 'c'].map((item) => run(one, item)));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(calls).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c']]);
  await expect(run(one, 'e')).resolves.toBe('e done');
});

it('puts no more bytes into a shared turn than the limit', async () => {
  const { calls, run } = turns({ bytes: 5 });
  await Promise.all(['aaa', 'bb', 'c'].map((item) => run(one, item)));
  expect(calls).toEqual([['aaa', 'bb'], ['c']]);
});
