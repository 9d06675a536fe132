/**
 * Leases choose one of several processes for work that only one should do. A lease is a document `leases/{name}` that
 * its holder keeps updating; once it has been unchanged for too long, any process may take it. The database measures
 * its age, not a machine's clock. The holder decides how long it relies on the lease.
 */
import { FieldValue, type DocumentReference, type Firestore, type Timestamp } from '@google-cloud/firestore';
import { isAlreadyExists, isPreconditionLost, translated } from './firestore.ts';

/** A lease that this process holds. */
export interface Lease {
  readonly ref: DocumentReference;
  /** Rises by one each time the lease is taken, so each epoch has exactly one holder. */
  readonly epoch: number;
  /** Changes with each renewal, so that only the latest holder can renew. */
  readonly updateTime: Timestamp;
  /**
   * Milliseconds since a holder last left with unsettled work (it died, was cut off, or said so when it released the
   * lease); 0 when the previous holder did, undefined when none ever did.
   */
  readonly unsettledForMs: number | undefined;
}

/**
 * Takes a lease that is free, unchanged for `ttlMs`, or already held by this process (after a lost answer to a renewal).
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

/** When the answer to a write is lost, the client retries it, and the retry fails because the first one succeeded. */
async function takenAfterAll(lease: Omit<Lease, 'updateTime'>, holder: string): Promise<Lease | undefined> {
  const current = await translated(() => lease.ref.get());
  const { updateTime } = current;
  const isOurs = current.get('holder') === holder && current.get('epoch') === lease.epoch;
  return isOurs && updateTime !== undefined ? { ...lease, updateTime } : undefined;
}

/** @returns undefined when another has taken it. @throws ServiceError `store.*` */
export async function renewLease(lease: Lease): Promise<Lease | undefined> {
  // The changing time makes this a change: a write that changes nothing leaves Firestore's update time as it was.
  const change = { renewed_at: FieldValue.serverTimestamp() };
  const renewed = await won(lease, () => lease.ref.update(change, { lastUpdateTime: lease.updateTime }));
  if (renewed !== undefined) return renewed;
  // An earlier renewal whose answer was lost got in the way. It may be too old to rely on, so renew once more.
  const current = await translated(() => lease.ref.get());
  const { updateTime: lastUpdateTime } = current;
  const isOurs = current.get('epoch') === lease.epoch && current.get('holder') !== null;
  if (!isOurs || lastUpdateTime === undefined) return undefined;
  return won(lease, () => lease.ref.update(change, { lastUpdateTime }));
}

/**
 * Releases the lease, so that the next process can take it at once. Does nothing if another process has taken it.
 * @param isSettled false when unfinished work, such as a send, may still take effect
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
