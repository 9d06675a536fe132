/** Nothing that reads what comes from outside is worse than linear in its size. */
import { expect, it } from 'vitest';
import { fastest, hostileInputs, type HostileInput } from './support/hostile-inputs.ts';

const SMALL = 64 * 1024;
const TIMES = 8;
/** Eight times the input takes eight times as long, quadratic would be 64: the rest is for caches, the compiler and the collector of garbage. */
const AT_MOST = 30;
/** Below this the compiler and the collector of garbage say more than the input. */
const NOTICEABLE_MS = 10;

async function growth(input: HostileInput, runs?: number): Promise<number> {
  const small = await fastest(input(SMALL), runs);
  const large = await fastest(input(SMALL * TIMES), runs);
  return large / Math.max(small, NOTICEABLE_MS);
}

it.each(Object.entries(hostileInputs))('%s', async (_, input) => {
  expect(await growth(input)).toBeLessThan(AT_MOST);
});

it('would see a pattern that backtracks', async () => {
  const quadratic = (bytes: number) => {
    const text = 'a'.repeat(bytes / 12);
    return () => /a+b/.test(text);
  };
  expect(await growth(quadratic, 1)).toBeGreaterThan(AT_MOST);
});
