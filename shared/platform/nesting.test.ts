import { expect, it } from 'vitest';
import { isNestedAtMost } from './nesting.ts';

it.each<[string, number]>([
  ['1', 0],
  ['null', 0],
  ['[]', 1],
  ['{"a":1,"b":[2]}', 2],
  ['[[],[{"a":[]}]]', 4],
  [`${'['.repeat(10_000)}${']'.repeat(10_000)}`, 10_000],
])('counts the levels of %.20s', (json, levels) => {
  const value: unknown = JSON.parse(json);
  expect(isNestedAtMost(value, levels)).toBe(true);
  expect(isNestedAtMost(value, levels - 1)).toBe(levels === 0);
});
