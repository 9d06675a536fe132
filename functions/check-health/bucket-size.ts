/**
 * The size of the bucket, which only a walk through all its objects tells. A walk that takes longer than a run may take
 * keeps its place, and the next run goes on from there.
 */
import type { Bucket } from '@google-cloud/storage';
import { parseTimestamp, utcTimestamp, type Clock, type Instant } from '../../shared/platform/clock.ts';
import { INCOMING } from '../../shared/registration/archive.ts';
import { listPage, type FinalizedObject } from '../../shared/registration/bucket.ts';
import type { BucketSize, BucketWalk } from '../../shared/store/health-snapshots.ts';

export interface Measured {
  /** Undefined while the walk goes on. */
  readonly size?: BucketSize;
  /** Where the next run goes on; null after the last object. */
  readonly walk: BucketWalk | null;
}

/**
 * Goes on with a walk for about `withinMs` milliseconds.
 * @param begun {@link aNewWalk}, or where the run before stopped
 * @param seen is told of each page's objects where the walk looks for orphans
 * @throws ServiceError `storage.unavailable`
 */
export async function measureBucket(
  bucket: Bucket,
  clock: Clock,
  begun: BucketWalk,
  withinMs: number,
  seen: (objects: readonly FinalizedObject[]) => Promise<unknown>,
): Promise<Measured> {
  const started = clock();
  let walk = begun;
  let { bytes, page_token: token } = begun;
  for (;;) {
    const page = await listPage(bucket, token);
    // A token that is no longer taken: the next run begins a new walk.
    if (page === undefined) return { walk: null };
    for (const object of page.objects) bytes += object.bytes;
    if (begun.seeks_orphans) await seen(page.objects);
    token = page.nextPageToken;
    const elapsed = clock().epochMilliseconds - started.epochMilliseconds;
    const took_ms = begun.took_ms + elapsed;
    if (token === null) return { size: { bytes, measured_at: walk.begun_at, took_ms }, walk: null };
    // The token holds the name of the page's last object, and names below incoming/ may hold a surname.
    if (page.objects.at(-1)?.name.startsWith(INCOMING) !== true) {
      walk = { ...begun, bytes, took_ms, page_token: token };
    }
    if (elapsed >= withinMs) return { walk };
  }
}

export function aNewWalk(now: Instant, seeksOrphans: boolean): BucketWalk {
  return { bytes: 0, begun_at: utcTimestamp(now), took_ms: 0, seeks_orphans: seeksOrphans, page_token: null };
}

/** True while walking again would take more than a hundredth of the time: the larger the bucket, the rarer the walks. */
export function isFresh({ measured_at, took_ms }: BucketSize, now: Instant): boolean {
  const measuredAt = parseTimestamp(measured_at)?.epochMilliseconds ?? 0;
  return now.epochMilliseconds - measuredAt < 100 * took_ms;
}
