import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createOutput, progressBar } from './output.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

function written(isTTY: boolean) {
  const chunks: string[] = [];
  const stream = Object.assign(
    new Writable({
      write(chunk, _encoding, done) {
        chunks.push(String(chunk));
        done();
      },
    }),
    { isTTY },
  );
  return { output: createOutput(false, { out: stream, err: stream }), chunks };
}

describe('progress', () => {
  it('is one line on a terminal', () => {
    const { output, chunks } = written(true);
    output.progress('1 of 3');
    output.progress('2 of 3');
    expect(chunks).toEqual(['\r\u001B[2K1 of 3', '\r\u001B[2K2 of 3']);
  });

  it('is a line every ten seconds elsewhere', () => {
    const { output, chunks } = written(false);
    for (let second = 1; second <= 25; second += 1) {
      vi.advanceTimersByTime(1000);
      output.progress(`second ${second}`);
    }
    output.progress('');
    expect(chunks).toEqual(['second 10\n', 'second 20\n']);
  });

  it.each([
    [0, 4, '[····················]   0 %'],
    [1, 3, '[######··············]  33 %'],
    [3, 3, '[####################] 100 %'],
    [5, 3, '[####################] 100 %'],
    [0, 0, '[####################] 100 %'],
  ])('has a bar: %i of %i', (done, total, bar) => expect(progressBar(done, total)).toBe(bar));
});
