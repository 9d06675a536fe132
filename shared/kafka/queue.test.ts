import { expect, it } from 'vitest';
import { Queue } from './queue.ts';

it('gives back what it was given, in order, while more comes in', () => {
  const queue = new Queue<number>();
  const out: (number | undefined)[] = [];
  for (let n = 0; n < 5_000; n += 1) {
    queue.push(2 * n);
    queue.push(2 * n + 1);
    out.push(queue.first);
    queue.shift();
  }
  while (queue.first !== undefined) {
    out.push(queue.first);
    queue.shift();
  }
  queue.shift();
  queue.push(-1);
  out.push(queue.first);
  expect(out).toEqual([...Array.from({ length: 10_000 }, (_, n) => n), -1]);
});
