/**
 * Measures the size of the bucket by listing all its objects. If the walk takes longer than one run, it stores its
 * position and the next run continues there.
 */
import { parseTimestamp, utcTimestamp, type Clock, type Instant } from '../../shared/platform/clock.ts';
import { INCOMING } from '../../shared/registration/archive.ts';
import { listPage, type FinalizedObject, type ImportBucket } from '../../shared/registration/bucket.ts';
import type { BucketSize, BucketWalk } from '../../shared/store/health-snapshots.ts';

export interface Measured {
  /** Undefined until the walk is complete. */
  readonly size?: BucketSize;
  /** Where the next run continues; null when the walk is complete. */
  readonly walk: BucketWalk | null;
}

/**
 * Continues a walk for about `withinMs` milliseconds.
 * @param begun {@link aNewWalk}, or the position where the previous run stopped
 * @param seen called with the objects of each page if the walk also searches for orphans
 * @throws ServiceError `storage.unavailable`
 */
export async function measureBucket(
  bucket: ImportBucket,
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
    // The token has expired, so the next run starts a new walk.
    if (page === undefined) return { walk: null };
    for (const object of page.objects) bytes += object.bytes;
    if (begun.seeks_orphans) await seen(page.objects);
    token = page.nextPageToken;
    const elapsed = clock().epochMilliseconds - started.epochMilliseconds;
    const took_ms = begun.took_ms + elapsed;
    if (token === null) return { size: { bytes, measured_at: walk.begun_at, took_ms }, walk: null };
    // The token contains the name of the page's last object. Do not store it if the name may contain a surname.
    if (page.objects.at(-1)?.name.startsWith(INCOMING) !== true) {
      walk = { ...begun, bytes, took_ms, page_token: token };
    }
    if (elapsed >= withinMs) return { walk };
  }
}

/** A walk that starts at the first object. */
export function aNewWalk(now: Instant, seeksOrphans: boolean): BucketWalk {
  return { bytes: 0, begun_at: utcTimestamp(now), took_ms: 0, seeks_orphans: seeksOrphans, page_token: null };
}

/** Whether the size is recent enough. Walks take at most 1 % of the time, so a large bucket is measured less often. */
export function isFresh({ measured_at, took_ms }: BucketSize, now: Instant): boolean {
  const measuredAt = parseTimestamp(measured_at)?.epochMilliseconds ?? 0;
  return now.epochMilliseconds - measuredAt < 100 * took_ms;
}
