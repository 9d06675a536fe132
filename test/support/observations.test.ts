import { expect, it } from 'vitest';
import { Observations } from './observations.ts';

/** Probes that took so long, and a control that took so long at the same time. */
function observed(probesMs: readonly number[], controlMs: number): string[] {
  const observations = new Observations();
  observations.control({ at: 1_000, tookMs: controlMs });
  for (const tookMs of probesMs) observations.probe('a kind', 'a probe', { at: 1_000, tookMs });
  return observations.delayed();
}

it.each([
  ['one probe of 2 s on a quiet machine', [2_500, 100], 5, 0],
  ['two probes of 2 s on a quiet machine', [2_500, 2_500], 5, 2],
  ['two probes of 2 s on a busy machine', [2_500, 2_500], 100, 0],
  ['one probe of 10 s', [10_500], 5, 1],
  ['one probe that failed, on any machine', [Infinity], 5_000, 1],
])('takes %s for what it is', (_, probesMs, controlMs, delayed) => {
  expect(observed(probesMs, controlMs)).toHaveLength(delayed);
});

it('judges each probe once, and only by controls of the same time', () => {
  const observations = new Observations();
  observations.control({ at: 100_000, tookMs: 5_000 });
  for (const at of [1_000, 1_500]) observations.probe('a kind', 'a probe', { at, tookMs: 3_000 });
  expect(observations.delayed()).toHaveLength(2);
  expect(observations.delayed()).toEqual([]);
  expect(observations.table()).toEqual({
    'a kind': { probes: 2, above2s: 2, slowestMs: 3_000 },
    'the machine': { probes: 1, above2s: 1, slowestMs: 5_000 },
  });
});
