import { describe, expect, it } from 'vitest';
import { CLAIM, DEADLY_TIMES, Trial } from './trial.ts';

describe('a trial', () => {
  it('without a marker suspects nothing, and claims many messages at once', () => {
    const trial = new Trial(undefined, 10n);
    trial.begin(10n);
    trial.begin(12n);
    expect(trial.isCovered(10n)).toBe(false);
    const marker = trial.marker();
    expect(marker).toEqual({ until: 12n + CLAIM, suspects: [] });
    trial.raised(marker);
    expect([trial.isCovered(11n + CLAIM), trial.isCovered(12n + CLAIM)]).toEqual([true, false]);
    expect(trial.suspicion()).toBeUndefined();
  });

  it('notes each message after a death, and suspects none of them yet', () => {
    const trial = new Trial({ until: 8n, suspects: [] }, 5n);
    trial.begin(5n);
    trial.begin(7n);
    const marker = trial.marker();
    expect(marker).toEqual({ until: 8n, suspects: [], inWork: { offsets: [5n, 7n], alone: false } });
    trial.raised(marker);
    expect([5n, 6n, 7n].map((offset) => trial.isCovered(offset))).toEqual([true, false, true]);
    expect(trial.isSuspect(5n)).toBe(false);
    trial.end(5n);
    expect(trial.marker().inWork?.offsets).toEqual([7n]);
  });

  it('claims many messages again when what a dead process left is done', () => {
    const trial = new Trial({ until: 8n, suspects: [] }, 5n);
    trial.begin(9n);
    trial.raised(trial.marker());
    expect(trial.isCovered(9n)).toBe(true);
    trial.advance(8n);
    expect([trial.isCovered(9n), trial.suspicion()]).toEqual([false, undefined]);
    trial.raised(trial.marker());
    expect([trial.isCovered(9n), trial.isCovered(8n + CLAIM)]).toEqual([true, true]);
  });

  it('suspects what was in work at the second death, and nothing else', () => {
    const inWork = { offsets: [4n, 6n, 9n], alone: false };
    const trial = new Trial({ until: 8n, suspects: [], inWork }, 5n);
    // Offset 4 is done, 9 lies behind what the first process may have begun.
    expect([4n, 5n, 6n, 9n].map((offset) => trial.isSuspect(offset))).toEqual([false, false, true, true]);
    expect(trial.suspicion()).toEqual({
      until: 10n,
      suspects: [
        { offset: 6n, times: 0 },
        { offset: 9n, times: 0 },
      ],
    });
  });

  it('counts the processes that ended while a message was alone, and forgets one that is done', () => {
    const suspects = [
      { offset: 6n, times: DEADLY_TIMES - 1 },
      { offset: 7n, times: DEADLY_TIMES - 1 },
    ];
    const trial = new Trial({ until: 8n, suspects, inWork: { offsets: [7n], alone: true } }, 5n);
    expect([trial.isDeadly(6n), trial.isDeadly(7n)]).toEqual([false, true]);
    trial.begin(6n);
    expect(trial.marker().inWork).toEqual({ offsets: [6n], alone: true });
    trial.end(6n);
    trial.acquit(6n);
    expect(trial.marker()).toEqual({
      until: 8n,
      suspects: [{ offset: 7n, times: DEADLY_TIMES }],
      inWork: { offsets: [], alone: false },
    });
  });

  it('blames nobody for the end of a process that handed its suspicion on', () => {
    const suspects = [{ offset: 6n, times: 1 }];
    expect(new Trial({ until: 8n, suspects }, 5n).suspicion()).toEqual({ until: 8n, suspects });
  });
});
