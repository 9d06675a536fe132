/**
 * Leases: which of several processes does what only one should do. A lease is a document `leases/{name}` that
 * its holder keeps changing; once it has stayed unchanged for too long, anybody may take it. Its age is the
 * database's own, so no machine's clock has a say. How long a holder may rely on it is the holder's business.
 */
import { FieldValue, type DocumentReference, type Firestore, type Timestamp } from '@google-cloud/firestore';
import { isAlreadyExists, isPreconditionLost, translated } from './firestore.ts';

export interface Lease {
  readonly ref: DocumentReference;
  /** Rises by one with each new holding. */
  readonly epoch: number;
  /** Changes with each renewal, so that only the latest holder can renew. */
  readonly updateTime: Timestamp;
}

/**
 * Takes a lease that is free, unchanged for `ttlMs`, or still in the own name (a renewal whose answer was lost).
 * @returns undefined while another holds it
 * @throws ServiceError `store.*`
 */
export async function takeLease(
  db: Firestore,
  name: string,
  holder: string,
  ttlMs: number,
): Promise<Lease | undefined> {
  const ref = db.collection('leases').doc(name);
  const current = await translated(() => ref.get());
  const lastUpdateTime = current.updateTime;
  if (lastUpdateTime === undefined) {
    return won(ref, 1, () => ref.create({ holder, epoch: 1, renewed_at: FieldValue.serverTimestamp() }));
  }
  const other = current.get('holder') !== null && current.get('holder') !== holder;
  if (other && current.readTime.toMillis() - lastUpdateTime.toMillis() < ttlMs) return undefined;
  const epoch = (current.get('epoch') as number) + 1;
  const change = { holder, epoch, renewed_at: FieldValue.serverTimestamp() };
  return won(ref, epoch, () => ref.update(change, { lastUpdateTime }));
}

/** @returns undefined when another has taken it. @throws ServiceError `store.*` */
export function renewLease({ ref, epoch, updateTime }: Lease): Promise<Lease | undefined> {
  // The time is what changes: Firestore's update time stands still when a write changes nothing.
  const change = { renewed_at: FieldValue.serverTimestamp() };
  return won(ref, epoch, () => ref.update(change, { lastUpdateTime: updateTime }));
}

/** Lets the next one take it at once; one that has been taken already stays. @throws ServiceError `store.*` */
export async function releaseLease({ ref, epoch, updateTime }: Lease): Promise<void> {
  await won(ref, epoch, () => ref.update({ holder: null }, { lastUpdateTime: updateTime }));
}

async function won(
  ref: DocumentReference,
  epoch: number,
  write: () => Promise<{ writeTime: Timestamp }>,
): Promise<Lease | undefined> {
  try {
    const { writeTime } = await translated(write);
    return { ref, epoch, updateTime: writeTime };
  } catch (error) {
    if (isAlreadyExists(error) || isPreconditionLost(error)) return undefined;
    throw error;
  }
}
