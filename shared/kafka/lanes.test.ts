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
