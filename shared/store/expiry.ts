/**
 * Removes expired documents within a minute. In production a TTL policy does the same within a day; the emulator has no
 * TTL.
 */
import { Timestamp, type CollectionReference, type Firestore, type Query } from '@google-cloud/firestore';
import type { Instant } from '../platform/clock.ts';
import { appliedEventDocs } from './applied-events.ts';
import { deleteAll, isPreconditionLost, translated } from './firestore.ts';
import { snapshotDocs } from './health-snapshots.ts';
import { idempotencyKeyDocs } from './idempotency-keys.ts';
import { importDocs } from './imports.ts';
import { mailCountDocs } from './mail-counts.ts';

/** The collections whose documents may have `expires_at`. A document without it, or with null, never expires. */
const EXPIRING = [importDocs, idempotencyKeyDocs, appliedEventDocs, snapshotDocs, mailCountDocs] as const;

/** The collections of a database whose documents may expire. */
export function expiringCollections(db: Firestore): CollectionReference[] {
  return EXPIRING.map((docs) => docs(db));
}

const PAGE = 300;

/** A page of the documents that expired first. */
export function expiredQuery(collection: CollectionReference, now: Instant): Query {
  return collection
    .where('expires_at', '<=', Timestamp.fromMillis(now.epochMilliseconds))
    .orderBy('expires_at')
    .limit(PAGE);
}

/**
 * Removes at most 300 documents of each collection. The next run removes the rest.
 * @returns how many documents were removed
 * @throws ServiceError `store.*`
 */
export async function removeExpired(db: Firestore, now: Instant): Promise<number> {
  const removed = await Promise.all(
    expiringCollections(db).map((collection) => removePage(expiredQuery(collection, now))),
  );
  return removed.reduce((sum, count) => sum + count, 0);
}

async function removePage(query: Query): Promise<number> {
  const page = await translated(() => query.get());
  try {
    await deleteAll(
      query.firestore,
      page.docs.map(({ ref, updateTime }) => ({ ref, lastUpdateTime: updateTime })),
    );
    return page.size;
  } catch (error) {
    // One of the documents was rewritten meanwhile.
    if (isPreconditionLost(error)) return 0;
    throw error;
  }
}
