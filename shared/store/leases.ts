/**
 * Leases: they choose one of several processes for work that only one should do. A lease is a document
 * `leases/{name}` that its holder keeps changing; once it has been unchanged for too long, any process may take it.
 * Its age is measured by the database, not by a machine's clock. The holder decides how long it relies on the lease.
 */
import { FieldValue, type DocumentReference, type Firestore, type Timestamp } from '@google-cloud/firestore';
import { isAlreadyExists, isPreconditionLost, translated } from './firestore.ts';

/** A lease that this process holds. */
export interface Lease {
  readonly ref: DocumentReference;
  /** Rises by one with each new holding, so it has one holder. */
  readonly epoch: number;
  /** Changes with each renewal, so that only the latest holder can renew. */
  readonly updateTime: Timestamp;
  /**
   * Milliseconds since a holder last left without settling what it had begun (it died, was cut off, or said so when
   * it released the lease); 0 when the holder before this one did, undefined when none ever has.
   */
  readonly unsettledForMs: number | undefined;
}

/**
 * Takes a lease that is free, unchanged for `ttlMs`, or held by this process already (a renewal whose answer was lost).
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
    const first = { holder, epoch: 1, renewed_at: FieldValue.serverTimestamp() };
    const lease = { ref, epoch: 1, unsettledForMs: undefined };
    return (await won(lease, () => ref.create(first))) ?? takenAfterAll(lease, holder);
  }
  const isReleased = current.get('holder') === null;
  const isOthers = !isReleased && current.get('holder') !== holder;
  if (isOthers && current.readTime.toMillis() - lastUpdateTime.toMillis() < ttlMs) return undefined;
  const epoch = (current.get('epoch') as number) + 1;
  const unsettledAt = current.get('unsettled_at') as Timestamp | undefined;
  const change = {
    holder,
    epoch,
    renewed_at: FieldValue.serverTimestamp(),
    ...(isReleased ? {} : { unsettled_at: FieldValue.serverTimestamp() }),
  };
  const sinceUnsettled =
    unsettledAt === undefined ? undefined : current.readTime.toMillis() - unsettledAt.toMillis();
  const unsettledForMs = isReleased ? sinceUnsettled : 0;
  const lease = { ref, epoch, unsettledForMs };
  return (await won(lease, () => ref.update(change, { lastUpdateTime }))) ?? takenAfterAll(lease, holder);
}

/** The client repeats a write whose answer was lost, and the repeat fails because of what the first one wrote. */
async function takenAfterAll(lease: Omit<Lease, 'updateTime'>, holder: string): Promise<Lease | undefined> {
  const current = await translated(() => lease.ref.get());
  const { updateTime } = current;
  const isOurs = current.get('holder') === holder && current.get('epoch') === lease.epoch;
  return isOurs && updateTime !== undefined ? { ...lease, updateTime } : undefined;
}

/** @returns undefined when another has taken it. @throws ServiceError `store.*` */
export async function renewLease(lease: Lease): Promise<Lease | undefined> {
  // The time is what changes: Firestore's update time stands still when a write changes nothing.
  const change = { renewed_at: FieldValue.serverTimestamp() };
  const renewed = await won(lease, () => lease.ref.update(change, { lastUpdateTime: lease.updateTime }));
  if (renewed !== undefined) return renewed;
  // A renewal whose answer was lost is in the way. It may be the last one, too old to rely on: so once more.
  const current = await translated(() => lease.ref.get());
  const { updateTime: lastUpdateTime } = current;
  const isOurs = current.get('epoch') === lease.epoch && current.get('holder') !== null;
  if (!isOurs || lastUpdateTime === undefined) return undefined;
  return won(lease, () => lease.ref.update(change, { lastUpdateTime }));
}

/**
 * Releases the lease, so that the next process can take it at once. A lease that another has taken stays.
 * @param isSettled false when something that was begun, such as a send, may still take effect
 * @throws ServiceError `store.*`
 */
export async function releaseLease(lease: Lease, isSettled: boolean): Promise<void> {
  const change = { holder: null, ...(isSettled ? {} : { unsettled_at: FieldValue.serverTimestamp() }) };
  await won(lease, () => lease.ref.update(change, { lastUpdateTime: lease.updateTime }));
}

async function won(
  lease: Omit<Lease, 'updateTime'>,
  write: () => Promise<{ writeTime: Timestamp }>,
): Promise<Lease | undefined> {
  try {
    const { writeTime } = await translated(write);
    return { ...lease, updateTime: writeTime };
  } catch (error) {
    if (isAlreadyExists(error) || isPreconditionLost(error)) return undefined;
    throw error;
  }
}
