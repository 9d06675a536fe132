/** The size of the bucket, which only a walk through all its objects tells. */
import type { Bucket } from '@google-cloud/storage';
import { parseTimestamp, utcTimestamp, type Clock, type Instant } from '../../shared/platform/clock.ts';
import { listObjects } from '../../shared/registration/bucket.ts';
import type { BucketSize } from '../../shared/store/health-snapshots.ts';

/** @throws ServiceError `storage.unavailable` */
export async function measureBucket(bucket: Bucket, clock: Clock): Promise<BucketSize> {
  const started = clock();
  let bytes = 0;
  for await (const object of listObjects(bucket, '')) bytes += object.bytes;
  const took_ms = clock().epochMilliseconds - started.epochMilliseconds;
  return { bytes, measured_at: utcTimestamp(started), took_ms };
}

/** True while walking again would take more than a hundredth of the time: the larger the bucket, the rarer the walks. */
export function isFresh({ measured_at, took_ms }: BucketSize, now: Instant): boolean {
  const measuredAt = parseTimestamp(measured_at)?.epochMilliseconds ?? 0;
  return now.epochMilliseconds - measuredAt < 100 * took_ms;
}
