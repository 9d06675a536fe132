import { Firestore } from '@google-cloud/firestore';
import { expect, it } from 'vitest';
import { sharedTurns } from './shared-turns.ts';

// Never connects: only the path of a document counts.
const db = new Firestore({ projectId: 'demo-turns' });
const docs = (count: number) => Array.from({ length: count }, (_, n) => db.doc(`patients/${n}`));
const [one, two, three, four] = docs(4) as [Doc, Doc, Doc, Doc];
type Doc = ReturnType<typeof db.doc>;

/** Turns that record which items were done together. A call with the item `bad` fails; one with `slow` waits for `release`. */
function turns({ items = 3, bytes = 1_000, running = 1 } = {}) {
  const calls: string[][] = [];
  const released = Promise.withResolvers<void>();
  const run = sharedTurns<string, string>(
    { running, items, bytes, bytesOf: (item) => item.length },
    async (group) => {
      calls.push([...group]);
      await (group.includes('slow') ? released.promise : Promise.resolve());
      if (group.includes('bad')) throw new Error('refused');
      return group.map((item) => `${item} done`);
    },
  );
  return { calls, run, release: released.resolve };
}

/** Lets everything happen that waits for nothing. */
const settled = () => new Promise(setImmediate);

it('lets changes that wait share a turn, up to the limit, and gives each its own result', async () => {
  const { calls, run } = turns();
  const results = await Promise.all([
    run(one, 'a'),
    run(one, 'b'),
    run(two, 'c'),
    run(three, 'd'),
    run(one, 'e'),
  ]);
  expect(results).toEqual(['a done', 'b done', 'c done', 'd done', 'e done']);
  expect(calls).toEqual([
    ['a', 'b', 'c'],
    ['d', 'e'],
  ]);
});

it('runs no more shared turns at once than the limit: what comes meanwhile shares the next one', async () => {
  const { calls, run, release } = turns({ running: 1 });
  const first = run(one, 'slow');
  await settled();
  const next = [run(two, 'a'), run(three, 'b')];
  await settled();
  expect(calls).toEqual([['slow']]);
  release();
  await Promise.all([first, ...next]);
  expect(calls).toEqual([['slow'], ['a', 'b']]);
});

it('changes a document only after its change before has ended, and others meanwhile', async () => {
  const { calls, run, release } = turns({ running: 2 });
  const slow = run(one, 'slow');
  await settled();
  const behind = run(one, 'behind');
  await run(two, 'a');
  expect(calls).toEqual([['slow'], ['a']]);
  release();
  await Promise.all([slow, behind]);
  expect(calls).toEqual([['slow'], ['a'], ['behind']]);
});

it('tries each change by itself after a shared turn failed: only the cause fails', async () => {
  const { calls, run } = turns();
  const results = await Promise.allSettled([run(one, 'a'), run(two, 'bad'), run(one, 'c')]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(calls).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c']]);
  await expect(run(one, 'd')).resolves.toBe('d done');
});

it('lets a document whose change failed delay no others, until a change of it succeeds', async () => {
  const { calls, run, release } = turns({ running: 1 });
  await expect(run(one, 'bad')).rejects.toThrow('refused');
  const slow = run(one, 'slow');
  await Promise.all([run(two, 'a'), run(three, 'b')]);
  expect(calls.slice(1)).toEqual([['slow'], ['a', 'b']]);
  release();
  await slow;
  await Promise.all([run(one, 'c'), run(four, 'd')]);
  expect(calls.at(-1)).toEqual(['c', 'd']);
});

it('puts no more bytes into a shared turn than the limit', async () => {
  const { calls, run } = turns({ bytes: 5 });
  await Promise.all([run(one, 'aaa'), run(two, 'bb'), run(three, 'c')]);
  expect(calls).toEqual([['aaa', 'bb'], ['c']]);
});
