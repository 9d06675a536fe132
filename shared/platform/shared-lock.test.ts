import { expect, it } from 'vitest';
import { SharedLock } from './shared-lock.ts';

function aLock() {
  const lock = new SharedLock();
  const events: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () => {
    events.push(`begin ${name}`);
    return new Promise<void>((resolve) => ends.set(name, resolve)).then(
      () => void events.push(`end ${name}`),
    );
  };
  const end = async (name: string) => {
    ends.get(name)?.();
    await new Promise(setImmediate);
  };
  return { lock, events, work, end };
}

it('runs shared work concurrently and exclusive work alone, in the order of the requests', async () => {
  const { lock, events, work, end } = aLock();
  const all = [
    lock.shared(work('a')),
    lock.shared(work('b')),
    lock.exclusive(work('c')),
    lock.exclusive(work('d')),
    lock.shared(work('e')),
    lock.shared(work('f')),
  ];
  for (const name of 'abcdef') await end(name);
  await Promise.all(all);
  expect(events.join(', ')).toBe(
    'begin a, begin b, end a, end b, begin c, end c, begin d, end d, begin e, begin f, end e, end f',
  );
});

it('continues after work that failed', async () => {
  const { lock } = aLock();
  await expect(lock.exclusive(() => Promise.reject(new Error('planted')))).rejects.toThrow('planted');
  expect(await lock.exclusive(async () => 1)).toBe(1);
  expect(await lock.shared(async () => 2)).toBe(2);
});
