/**
 * Gathers the facts that health is judged by. All queries run concurrently, each with its own time limit. The verdict
 * interprets the results.
 */
import { statfs } from 'node:fs/promises';
import type { ImportBucket } from '../../shared/registration/bucket.ts';
import type { Firestore } from '@google-cloud/firestore';
import type { Clock, Instant, UtcTimestamp } from '../../shared/platform/clock.ts';
import type { Log } from '../../shared/platform/log.ts';
import { listIncoming } from '../../shared/registration/archive.ts';
import { readFence } from '../../shared/registration/restore-fence.ts';
import type { FenceFault } from '../../shared/store/fence.ts';
import { readNewestSnapshot, type HealthSnapshot } from '../../shared/store/health-snapshots.ts';
import { countImports, lastImportAt } from '../../shared/store/import-statistics.ts';
import { outboxBacklog } from '../../shared/store/outbox-backlog.ts';
import { readWorkerStatus, type WorkerStatus } from '../../shared/store/worker-status.ts';
import { ask, type Reply } from './reading.ts';

/** The files in `incoming/`. */
export interface Incoming {
  readonly files: number;
  /** 0 when there is no file. */
  readonly oldest_seconds: number;
}

/** The outbox entries that are not sent yet. */
export interface Waiting {
  readonly entries: number;
  /** 0 when there is no entry. */
  readonly oldest_seconds: number;
}

/** Counts and times of imports. A success is a file that went to `processed/`: a patient, or a duplicate of one. */
export interface ImportFigures {
  readonly last_success: UtcTimestamp | null;
  readonly last_failure: UtcTimestamp | null;
  readonly successes_24h: number;
  readonly failures_24h: number;
}

/** Everything that the verdict needs. */
export interface Facts {
  readonly now: Instant;
  readonly incoming: Reply<Incoming>;
  readonly imports: Reply<ImportFigures>;
  readonly outbox: Reply<Waiting>;
  /** Undefined when no worker has ever reported. */
  readonly worker: Reply<WorkerStatus | undefined>;
  /** Undefined before the first scheduled run. */
  readonly lastRun: Reply<Pick<HealthSnapshot, 'taken_at' | 'bucket' | 'retention'> | undefined>;
  /** Undefined when the database is not a restored copy and may publish. */
  readonly fence: Reply<FenceFault | undefined>;
  /** In bytes; undefined when there is no drop folder. */
  readonly freeDisk: Reply<number> | undefined;
}

export interface FactSources {
  readonly db: Firestore;
  readonly bucket: ImportBucket;
  readonly clock: Clock;
  readonly log: Log;
  readonly dropFolder: string | undefined;
}

/** Time limit of the first queries of a process. */
export const WARM_UP_MS = 3000;

/** Gathers all facts in about `withinMs` milliseconds at most. Never throws. */
export async function gatherFacts(
  sources: FactSources,
  withinMs: number,
  known: Partial<Pick<Facts, 'lastRun'>> = {},
): Promise<Facts> {
  const { db, bucket, clock, log, dropFolder } = sources;
  const now = clock();
  const about = (check: string) => ({ check, withinMs, log });
  const [incoming, imports, outbox, worker, lastRun, fence, freeDisk] = await Promise.all([
    ask(() => lookIntoIncoming(bucket, now), about('incoming')),
    ask(() => readImportFigures(db, now), about('imports')),
    ask(() => lookIntoOutbox(db, now), about('outbox')),
    ask(() => readWorkerStatus(db), about('worker')),
    known.lastRun ?? ask(() => readNewestSnapshot(db), about('last run')),
    ask(async () => (await readFence({ db, bucket })).fault, about('fence')),
    dropFolder === undefined ? undefined : ask(() => freeBytes(dropFolder), about('disk')),
  ]);
  return { now, incoming, imports, outbox, worker, lastRun, fence, freeDisk };
}

async function lookIntoIncoming(bucket: ImportBucket, now: Instant): Promise<Incoming> {
  let files = 0;
  let oldestMs = 0;
  for await (const { uploadedAt } of listIncoming(bucket)) {
    files += 1;
    oldestMs = Math.max(oldestMs, now.epochMilliseconds - uploadedAt.epochMilliseconds);
  }
  return { files, oldest_seconds: Math.floor(oldestMs / 1000) };
}

async function readImportFigures(db: Firestore, now: Instant): Promise<ImportFigures> {
  const [counts, imported, duplicate, failed] = await Promise.all([
    countImports(db, now.subtract({ hours: 24 })),
    lastImportAt(db, 'imported'),
    lastImportAt(db, 'duplicate'),
    lastImportAt(db, 'failed'),
  ]);
  return {
    last_success: [imported, duplicate].reduce((one, other) => ((one ?? '') > (other ?? '') ? one : other)),
    last_failure: failed,
    successes_24h: counts.imported + counts.duplicate,
    failures_24h: counts.failed,
  };
}

async function lookIntoOutbox(db: Firestore, now: Instant): Promise<Waiting> {
  const { events, mails, oldest } = await outboxBacklog(db);
  const waitedMs = oldest === undefined ? 0 : now.epochMilliseconds - oldest.epochMilliseconds;
  return { entries: events + mails, oldest_seconds: Math.max(0, Math.floor(waitedMs / 1000)) };
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
