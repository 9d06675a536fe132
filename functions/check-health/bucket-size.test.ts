import { Temporal } from 'temporal-polyfill';
import type { Bucket } from '@google-cloud/storage';
import { expect, it } from 'vitest';
import type { Clock } from '../../shared/platform/clock.ts';
import type { BucketSize, BucketWalk } from '../../shared/store/health-snapshots.ts';
import { aNewWalk, isFresh, measureBucket } from './bucket-size.ts';

const measured_at = '2026-11-02T09:00:00.000Z';
const after = (seconds: number) => Temporal.Instant.from(measured_at).add({ seconds });

it.each([
  ['a small bucket at every run', 50, 60, false],
  ['a bucket of 20 s not for half an hour', 20_000, 1999, true],
  ['a bucket of 20 s after that', 20_000, 2000, false],
])('measures %s', (_, took_ms, seconds, fresh) => {
  expect(isFresh({ bytes: 1, measured_at, took_ms }, after(seconds))).toBe(fresh);
});

/** A bucket where each page takes 8 s. A page token is the number of objects before the page. */
function aBucket(names: readonly string[]) {
  let seconds = 0;
  const asked: number[] = [];
  const clock: Clock = () => Temporal.Instant.from(measured_at).add({ seconds });
  const getFiles = async ({ pageToken = '0', maxResults }: { pageToken?: string; maxResults: number }) => {
    const from = Number(pageToken);
    if (Number.isNaN(from)) throw Object.assign(new Error('Invalid page token'), { code: 400 });
    asked.push(from);
    seconds += 8;
    const to = from + maxResults;
    const files = names
      .slice(from, to)
      .map((name) => ({ name, metadata: { timeCreated: measured_at, generation: '1', size: '2' } }));
    return [files, to < names.length ? { pageToken: String(to) } : null, undefined];
  };
  const bucket = { name: 'large', client: async () => ({ getFiles }) as unknown as Bucket };
  async function walk(): Promise<{ size: BucketSize; runs: number }> {
    let walk = aNewWalk(clock(), false);
    for (let runs = 1; ; runs += 1) {
      const measured = await measureBucket(bucket, clock, walk, 20_000, async () => {});
      if (measured.size !== undefined) return { size: measured.size, runs };
      walk = measured.walk as BucketWalk;
    }
  }
  return { bucket, clock, asked, walk };
}

const numbered = (folder: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${folder}/${String(n).padStart(6, '0')}.json`);

it('measures a large bucket in several runs and reads each page once', async () => {
  const { walk, asked } = aBucket(numbered('processed', 10_500));
  const { size, runs } = await walk();
  expect(size).toEqual({ bytes: 21_000, measured_at, took_ms: 88_000 });
  expect(runs).toBe(4);
  expect(asked).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((page) => 1_000 * page));
});

it('stores no position that contains the name of an incoming file', async () => {
  const { bucket, clock } = aBucket([...numbered('failed', 1_000), ...numbered('incoming', 5_000)]);
  const { walk } = await measureBucket(bucket, clock, aNewWalk(clock(), false), 20_000, async () => {});
  expect(walk).toMatchObject({ page_token: '1000', bytes: 2_000 });
});

it('starts again when its position has expired', async () => {
  const { bucket, clock } = aBucket(numbered('processed', 10));
  const walk = { ...aNewWalk(clock(), false), page_token: 'gone' };
  expect(await measureBucket(bucket, clock, walk, 20_000, async () => {})).toEqual({ walk: null });
});
