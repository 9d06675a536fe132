import { Writable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { progressLine, showProgress } from './progress.ts';

afterEach(() => void vi.useRealTimers());

/** Terminal control codes. */
const SHOW_CURSOR = '\u001B[?25h';
const CLEAR_LINE = '\u001B[2K';

function stream(isTTY: boolean) {
  const chunks: string[] = [];
  const writable = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return { stream: Object.assign(writable, { isTTY, columns: 120 }), chunks };
}

describe('on a terminal', () => {
  it('shows a bar and removes it when the work ends', async () => {
    const { stream: terminal, chunks } = stream(true);
    await showProgress(terminal, { what: 'reading', total: 4 }, async (progress) => progress.to(2));
    const text = chunks.join('');
    expect(text).toContain('reading [##########··········]  50 %, 2 of 4');
    expect(text.indexOf(CLEAR_LINE)).toBeGreaterThan(text.indexOf('2 of 4'));
    expect(text).toContain(SHOW_CURSOR);
  });

  it('restores the cursor when the work fails', async () => {
    const { stream: terminal, chunks } = stream(true);
    const failing = showProgress(terminal, { what: 'reading', total: 4 }, () =>
      Promise.reject(new Error('away')),
    );
    await expect(failing).rejects.toThrow('away');
    expect(chunks.join('')).toContain(SHOW_CURSOR);
  });
});

it('writes a line every ten seconds without a terminal, even when there is no progress', async () => {
  vi.useFakeTimers();
  const { stream: file, chunks } = stream(false);
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const shown = showProgress(file, { what: 'reading', total: 100 }, async (progress) => {
    progress.to(20);
    await finished;
  });
  await vi.advanceTimersByTimeAsync(9_999);
  expect(chunks).toEqual([]);
  await vi.advanceTimersByTimeAsync(15_001);
  finish();
  await shown;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(chunks).toEqual([
    'reading [####················]  20 %, 20 of 100, 2.0/s, 40 s left\n',
    'reading [####················]  20 %, 20 of 100, 1.0/s, 80 s left\n',
  ]);
});

it.each([
  [{ what: 'w', total: 4 }, 0, 5_000, 'w [····················]   0 %, 0 of 4'],
  [{ what: 'w', total: 3 }, 1, 1_000, 'w [#######·············]  33 %, 1 of 3, 1.0/s, 2 s left'],
  [{ what: 'w', total: 3 }, 3, 1_000, 'w [####################] 100 %, 3 of 3, 3.0/s'],
  [{ what: 'w', total: 3 }, 5, 1_000, 'w [####################] 100 %, 5 of 3, 5.0/s'],
  [{ what: 'w', total: 0 }, 0, 0, 'w [####################] 100 %, 0 of 0'],
  [
    { what: 'w', total: 50_000 },
    1_000,
    10_000,
    'w [····················]   2 %, 1000 of 50000, 100/s, 9 min left',
  ],
  [
    { what: 'w', total: 50_000 },
    10,
    10_000,
    'w [····················]   0 %, 10 of 50000, 1.0/s, 13 h 54 min left',
  ],
  [{ what: 'w' }, 7, 1_000, 'w: 7, 7.0/s'],
])('shows %o after %i items in %i ms as %s', (shown, done, ms, line) => {
  expect(progressLine(shown, done, ms)).toBe(line);
});

it('names the place that is reached, on a terminal and without one', async () => {
  const { stream: terminal, chunks } = stream(true);
  await showProgress(terminal, { what: 'reading', total: 4 }, async (progress) =>
    progress.to(2, 'done up to patient 7'),
  );
  expect(chunks.join('')).toMatch(/2 of 4.*, done up to patient 7/);
  expect(progressLine({ what: 'w', total: 3 }, 1, 1_000, 'done up to patient 7')).toBe(
    'w [#######·············]  33 %, 1 of 3, 1.0/s, 2 s left, done up to patient 7',
  );
});
