import { expect, it } from 'vitest';
import { CLAIM, DEADLY_TIMES, Trial } from './trial.ts';

it('without a marker tries nothing alone, and claims many messages at once', () => {
  const trial = new Trial(undefined, 10n);
  expect([trial.covers(10n), trial.needsMarker(10n)]).toEqual([false, true]);
  const marker = trial.markerFor(10n);
  expect(marker).toEqual({ until: 10n + CLAIM, suspects: [] });
  trial.raised(marker);
  expect([trial.needsMarker(9n + CLAIM), trial.needsMarker(10n + CLAIM)]).toEqual([false, true]);
  expect(trial.suspicion(10n)).toBeUndefined();
});

it('tries alone what the dead process may have worked on, and hands the suspicion on', () => {
  const suspects = [
    { offset: 4n, times: 1 },
    { offset: 7n, times: DEADLY_TIMES - 1 },
    { offset: 8n, times: DEADLY_TIMES },
  ];
  const trial = new Trial({ until: 9n, suspects }, 5n);
  expect([trial.covers(8n), trial.covers(9n)]).toEqual([true, false]);
  expect([trial.isDeadly(7n), trial.isDeadly(8n), trial.isDeadly(9n)]).toEqual([false, true, false]);
  // Offset 4 is done: nobody suspects it any more.
  expect(trial.times(4n)).toBe(0);
  expect(trial.markerFor(5n)).toEqual({ until: 9n, suspects: suspects.slice(1) });
  trial.acquit(7n);
  expect(trial.suspicion(8n)).toEqual({ until: 9n, suspects: suspects.slice(2) });
  expect(trial.suspicion(9n)).toBeUndefined();
});
