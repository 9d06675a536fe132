import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { OffsetCommits } from './offset-commits.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function commits(store?: () => Promise<void>) {
  const stored: [number, bigint][][] = [];
  const failures: unknown[] = [];
  const commits = new OffsetCommits(
    async (offsets) => {
      await store?.();
      stored.push([...offsets]);
    },
    (error) => failures.push(error),
  );
  return { commits, stored, failures };
}

it('makes one commit of many notes, with the last offset of each partition', async () => {
  const { commits: due, stored } = commits();
  for (const [partition, next] of [
    [0, 5n],
    [1, 2n],
    [0, 9n],
  ] as const)
    due.note(partition, next);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(stored).toEqual([
    [
      [0, 9n],
      [1, 2n],
    ],
  ]);
  await due.flush();
  expect(stored).toHaveLength(1);
});

it('leaves what could not be stored to the next commit', async () => {
  let isAway = true;
  const {
    commits: due,
    stored,
    failures,
  } = commits(async () => {
    if (isAway) throw new Error('away');
  });
  due.note(0, 5n);
  await due.flush();
  isAway = false;
  await due.flush();
  expect(failures).toHaveLength(1);
  expect(stored).toEqual([[[0, 5n]]]);
});

it('runs one commit at a time, and keeps what is noted meanwhile', async () => {
  const first = Promise.withResolvers<void>();
  let running = 0;
  const { commits: due, stored } = commits(async () => {
    running += 1;
    expect(running).toBe(1);
    await first.promise;
    running -= 1;
  });
  due.note(0, 5n);
  const flushed = due.flush();
  await vi.advanceTimersByTimeAsync(0);
  due.note(0, 6n);
  const again = due.flush();
  first.resolve();
  await Promise.all([flushed, again]);
  expect(stored).toEqual([[[0, 5n]], [[0, 6n]]]);
});

it('drops what is forgotten, of other partitions, or cancelled', async () => {
  const { commits: due, stored } = commits();
  for (const partition of [0, 1, 2]) due.note(partition, 7n);
  due.forget(0);
  due.keep([0, 2]);
  due.cancel();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(stored).toEqual([]);
  await due.flush();
  expect(stored).toEqual([[[2, 7n]]]);
});
