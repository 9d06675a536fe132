import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { within } from './deadline.ts';

const never = new Promise<never>(() => {});

it('settles like the work when the work settles in time', async () => {
  await expect(within(60_000, Promise.resolve(1), () => 2)).resolves.toBe(1);
  await expect(within(60_000, Promise.reject(new Error('broken')), () => 2)).rejects.toThrow('broken');
});

it('settles like onLate when the work does not settle in time', async () => {
  await expect(within(1, never, () => 'late')).resolves.toBe('late');
  const refuse = () => {
    throw new Error('late');
  };
  await expect(within(1, never, refuse)).rejects.toThrow('late');
});

it('ignores a failure after the deadline', async () => {
  const failing = sleep(20).then(() => Promise.reject(new Error('too late to matter')));
  await expect(within(1, failing, () => 'late')).resolves.toBe('late');
  await sleep(40);
});
