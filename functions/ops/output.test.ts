import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { createOutput } from './output.ts';

function written(json: boolean, isTTY: boolean) {
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
  return { output: createOutput(json, { out: stream, err: stream }), chunks };
}

const work = async (output: ReturnType<typeof written>['output']) =>
  output.during({ what: 'reading', total: 2 }, async (progress) => {
    progress.to(2);
    return 'result';
  });

it('shows the progress of long work on a terminal', async () => {
  const { output, chunks } = written(false, true);
  expect(await work(output)).toBe('result');
  expect(chunks.join('')).toContain('reading [####################] 100 %, 2 of 2');
});

it('shows people the parts of a table as they come, and programs one array in the end', () => {
  const shown = (json: boolean) => {
    const { output, chunks } = written(json, false);
    const table = output.tableInParts(['patient']);
    const seen = [[1], [], [2]].map((row) => {
      table.add(row.length === 0 ? [] : [row]);
      return chunks.length;
    });
    table.end();
    return { seen, text: chunks.join('') };
  };
  expect(shown(false)).toEqual({ seen: [1, 1, 2], text: 'patient\n1      \npatient\n2      \n' });
  expect(shown(true)).toEqual({ seen: [0, 0, 0], text: '[{"patient":1},{"patient":2}]\n' });
});

it('shows no progress to programs', async () => {
  const { output, chunks } = written(true, true);
  expect(await work(output)).toBe('result');
  expect(chunks).toEqual([]);
});
