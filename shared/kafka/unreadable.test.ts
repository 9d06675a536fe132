import { expect, it } from 'vitest';
import { testLog } from '../../test/support/kafka.ts';
import type { UnreadableBatch } from './record-set.ts';
import { Standing, type UnreadableNotes } from './unreadable.ts';

const batch: UnreadableBatch = { reason: 'malformed', offset: 5n, lastOffset: 7n, header: undefined };
const never = new AbortController().signal;

function aStanding(decided: bigint | undefined | Error) {
  const lines: string[] = [];
  const ended: string[] = [];
  const notes: UnreadableNotes = {
    async standing() {
      if (decided instanceof Error) throw decided;
      return decided;
    },
    ended: async (_, how) => void ended.push(how),
  };
  return { lines, ended, standing: new Standing({ topic: 't', notes, log: testLog(lines), everyMs: 1 }) };
}

it.each([
  ['nobody has decided', undefined, batch, undefined],
  ['the decision reaches its end', 7n, batch, 8n],
  ['the decision reaches beyond it', 100n, batch, 8n],
  ['the decision ends within it', 6n, batch, undefined],
  ['its end is known by the decision only', 9n, { ...batch, lastOffset: undefined }, 10n],
  ['the decision was about one before it', 4n, { ...batch, lastOffset: undefined }, undefined],
  ['the notes are away', new Error('away'), batch, undefined],
] as const)('goes on behind a batch as an operator has decided: %s', async (_, decided, batch, next) => {
  const { standing } = aStanding(decided);
  expect(await standing.wait(0, batch, never)).toBe(next);
});

it('says once what stands, and notes once how it ended', async () => {
  const { standing, lines, ended } = aStanding(undefined);
  for (let n = 0; n < 3; n += 1) await standing.wait(0, batch, never);
  expect(lines.filter((line) => line.includes('This is no outage'))).toHaveLength(1);
  await standing.moved(1);
  expect(ended).toEqual([]);
  await standing.moved(0);
  await standing.moved(0);
  expect(ended).toEqual(['readable']);
});
