/** Which texts are normalised: sorting the combining marks of a text takes time that is quadratic in their run. */
import { expect, vi } from 'vitest';

/** Four code units for each of the 2,000 characters of the longest text that a field may hold. */
const LONGEST_TEXT = 4 * 2_000;
const TOO_MANY_MARKS = /\p{M}{31}/u;

/** Runs `work`, which must be refused or read without normalising a text that takes long. @returns its result */
export async function expectCheapNormalising<T>(work: () => T | Promise<T>): Promise<T> {
  const normalise = vi.spyOn(String.prototype, 'normalize');
  try {
    const result = await work();
    const texts = normalise.mock.contexts.map(String);
    expect(Math.max(0, ...texts.map(({ length }) => length)), 'longest text').toBeLessThanOrEqual(
      LONGEST_TEXT,
    );
    expect(
      texts.filter((text) => TOO_MANY_MARKS.test(text)),
      'texts of too many marks',
    ).toEqual([]);
    return result;
  } finally {
    normalise.mockRestore();
  }
}
