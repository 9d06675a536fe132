import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { appendLine, followLines, parseLine } from './lines.ts';

let dir: string;
let file: string;
let stopped: AbortController;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lines-'));
  file = join(dir, 'notes.jsonl');
  stopped = new AbortController();
});
afterEach(async () => {
  stopped.abort();
  await rm(dir, { recursive: true, force: true });
});

/** Follows the file; what it has yielded so far. */
function following(options: { last?: number } = {}): unknown[] {
  const seen: unknown[] = [];
  const follow = async () => {
    for await (const line of followLines(file, { signal: stopped.signal, ...options }))
      seen.push(parseLine(line));
  };
  void follow();
  return seen;
}

it('yields existing and new lines, also when the file does not exist yet', async () => {
  const seen = following();
  appendLine(file, { n: 1 });
  await eventually(() => expect(seen).toEqual([{ n: 1 }]));
  appendLine(file, { n: 'zwei – ü' });
  await eventually(() => expect(seen).toEqual([{ n: 1 }, { n: 'zwei – ü' }]));
});

it('waits for the end of a line that is written in pieces', async () => {
  const seen = following();
  await appendFile(file, '{"n"');
  await appendFile(file, ':1');
  expect(seen).toEqual([]);
  await appendFile(file, '}\n');
  await eventually(() => expect(seen).toEqual([{ n: 1 }]));
});

it('closes a torn line before it writes the next one', async () => {
  await appendFile(file, '{"torn":');
  appendLine(file, { n: 1 });
  const seen = following();
  await eventually(() => expect(seen).toEqual([undefined, { n: 1 }]));
});

it('begins near the end when asked to', async () => {
  appendLine(file, { n: 1 });
  const seen = following({ last: 0 });
  appendLine(file, { n: 2 });
  await eventually(() => expect(seen).toEqual([{ n: 2 }]));
});
