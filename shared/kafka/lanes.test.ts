import { expect, it } from 'vitest';
import { Lanes } from './lanes.ts';

it('begins the items of a lane one after another, and the lanes in turn', () => {
  const lanes = new Lanes<string>();
  for (const item of ['a1', 'a2', 'b1']) lanes.add(item.slice(0, 1), item);

  const begun: (string | undefined)[] = [];
  const begin = () => {
    begun.push(lanes.next()?.item);
    lanes.begin();
  };
  begin();
  begin();
  begin();
  lanes.done('a');
  begin();
  lanes.done('b');
  lanes.done('a');
  lanes.add('a', 'a3');
  begin();

  expect(begun).toEqual(['a1', 'b1', undefined, 'a2', 'a3']);
});

it('begins an item without a lane alone: after all before it, before all behind it', () => {
  const lanes = new Lanes<string>();
  for (const item of ['a1', 'b1', '-1', '-2', 'a2', 'b2', '-3']) {
    lanes.add(item.startsWith('-') ? undefined : item.slice(0, 1), item);
  }
  const rounds: string[][] = [];
  for (let round = 0; round < 5; round += 1) {
    const begun = [];
    for (let next = lanes.next(); next !== undefined; next = lanes.next()) {
      lanes.begin();
      begun.push(next);
    }
    rounds.push(begun.map(({ item }) => item));
    for (const { lane } of begun) lanes.done(lane);
  }
  expect(rounds).toEqual([['a1', 'b1'], ['-1'], ['-2'], ['a2', 'b2'], ['-3']]);
  expect(lanes.next()).toBeUndefined();
});
