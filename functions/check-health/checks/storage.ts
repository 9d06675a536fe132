/** Checks the size of the bucket and the free space of a drop folder. */
import { MAX_FILE_BYTES } from '../../../shared/registration/registration-file.ts';
import type { Facts } from '../facts.ts';
import { faultOf, valueOf } from '../reading.ts';
import { degraded, unanswered, unhealthy, verdict, type Check, type Limits } from './check.ts';

/** Share of the quota. The alert on storage has the same limit. */
export const FILLING = 0.8;
/** Room for 100 of the largest registration files. */
const LITTLE_DISK_BYTES = 100 * MAX_FILE_BYTES;

/** As `/health` answers it; null: not known. */
export type StorageCheck = Check<{
  readonly bytes: number | null;
  readonly quota_bytes: number;
  readonly free_disk_bytes?: number | null;
}>;

/** Degraded when space gets scarce, unhealthy when there is none. */
export function judgeStorage({ lastRun, freeDisk }: Facts, limits: Limits): StorageCheck {
  const quota = limits.IMPORT_STORAGE_QUOTA_BYTES;
  const bytes = valueOf(lastRun)?.bucket?.bytes ?? null;
  const used = bytes === null ? 0 : bytes / quota;
  const free = valueOf(freeDisk);
  const filled = `the bucket holds ${Math.round(used * 100)} % of its quota`;
  const room = `${free} bytes are left on the disk of the drop folder`;
  return verdict(
    {
      bytes,
      quota_bytes: quota,
      ...(freeDisk === undefined ? {} : { free_disk_bytes: free ?? null }),
    },
    [
      unanswered('degraded', 'health-unreachable', 'the size of the bucket is unknown', faultOf(lastRun)),
      unanswered(
        'degraded',
        'storage-filling',
        'the free space of the drop folder could not be read',
        faultOf(freeDisk),
      ),
      used > 1
        ? unhealthy('storage-filling', filled)
        : used > FILLING
          ? degraded('storage-filling', filled)
          : undefined,
      free === undefined || free >= LITTLE_DISK_BYTES
        ? undefined
        : free < MAX_FILE_BYTES
          ? unhealthy('storage-filling', room)
          : degraded('storage-filling', room),
    ],
  );
}
