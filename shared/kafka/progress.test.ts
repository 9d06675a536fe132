import { expect, it } from 'vitest';
import { Progress, type Step } from './progress.ts';

const step = (from: bigint, next: bigint, done = false): Step => ({ from, next, bytes: 10, done });

it('moves over what is done without a gap, and over offsets that hold no message', () => {
  const progress = new Progress(5n);
  const [first, second, marker] = [step(5n, 6n), step(6n, 7n), step(7n, 9n, true)];
  for (const one of [first, second, marker]) progress.add(one);
  expect({ next: progress.next, open: progress.open, bytes: progress.bytes }).toEqual({
    next: 9n,
    open: 5n,
    bytes: 30,
  });

  second.done = true;
  expect(progress.advance()).toBeUndefined();
  first.done = true;
  expect(progress.advance()).toBe(9n);
  expect({ open: progress.open, bytes: progress.bytes }).toEqual({ open: 9n, bytes: 0 });
  expect(progress.advance()).toBeUndefined();
});
