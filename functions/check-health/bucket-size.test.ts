import { Temporal } from 'temporal-polyfill';
import { expect, it } from 'vitest';
import { isFresh } from './bucket-size.ts';

const measured_at = '2026-11-02T09:00:00.000Z';
const after = (seconds: number) => Temporal.Instant.from(measured_at).add({ seconds });

it.each([
  ['a small bucket at every run', 50, 60, false],
  ['a bucket of 20 s not for half an hour', 20_000, 1999, true],
  ['a bucket of 20 s after that', 20_000, 2000, false],
])('measures %s', (_, took_ms, seconds, fresh) => {
  expect(isFresh({ bytes: 1, measured_at, took_ms }, after(seconds))).toBe(fresh);
});
