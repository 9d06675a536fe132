import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { within } from './deadline.ts';

const never = new Promise<never>(() => {});

it('is the answer or the failure that comes in time', async () => {
  await expect(within(60_000, Promise.resolve(1), () => 2)).resolves.toBe(1);
  await expect(within(60_000, Promise.reject(new Error('broken')), () => 2)).rejects.toThrow('broken');
});

it('is what is said of an answer that does not come', async () => {
  await expect(within(1, never, () => 'late')).resolves.toBe('late');
  const refuse = () => {
    throw new Error('late');
  };
  await expect(within(1, never, refuse)).rejects.toThrow('late');
});

it('drops what fails later', async () => {
  const failing = sleep(20).then(() => Promise.reject(new Error('too late to matter')));
  await expect(within(1, failing, () => 'late')).resolves.toBe('late');
  await sleep(40);
});
