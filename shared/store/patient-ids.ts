/**
 * Patient ids: 32-bit integers from a counter document (`counters/patient_id`), leased in blocks so that
 * registrations do not queue on it. A process that ends loses the rest of its block; an id is never used twice.
 * The counter of a restored database is too low, so a fenced database leases no block (fence.ts). A block that was
 * leased before the restore stays valid: no other process has its ids, and the fence raises the counter far above them.
 */
import type { DocumentReference, Firestore } from '@google-cloud/firestore';
import { patientId, type PatientId } from '../patient/schema.ts';
import { isServiceError } from '../platform/errors.ts';
import { markDoc, markIn, refuseFenced, type Mark } from './fence.ts';
import { inTransaction, translated } from './firestore.ts';

const BLOCK = 100;
/** The next block is leased when only this many ids are left, so that nobody waits for it. */
const AHEAD = 50;

/** Allocates ids one by one. @throws ServiceError `store.*`, `storage.unavailable` */
export type AllocatePatientId = () => Promise<PatientId>;

/** @param readOutsideMark reads the bucket's mark: once for each block, and again before a block is refused */
export function createPatientIds(
  db: Firestore,
  readOutsideMark: () => Promise<Mark | undefined>,
): AllocatePatientId {
  const free: PatientId[] = [];
  let leasing: Promise<void> | undefined;

  const lease = async () => {
    const first = await leaseBlock(db, await readOutsideMark()).catch(async (error: unknown) => {
      if (!isServiceError(error, 'store.fenced')) throw error;
      // The bucket's first mark may have been written between the two reads, so read it again.
      return leaseBlock(db, await readOutsideMark());
    });
    free.push(...Array.from({ length: BLOCK }, (_, at) => patientId.parse(first + at)));
  };

  const leaseOnce = () => (leasing ??= lease().finally(() => (leasing = undefined)));

  return async function allocate() {
    const id = free.shift();
    if (id === undefined) {
      await leaseOnce();
      return allocate();
    }
    // If this fails, the block is leased when it is needed, and the error reaches whoever needs it.
    if (free.length === AHEAD) leaseOnce().catch(() => undefined);
    return id;
  };
}

function counterDoc(db: Firestore): DocumentReference {
  return db.collection('counters').doc('patient_id');
}

async function leaseBlock(db: Firestore, outside: Mark | undefined): Promise<number> {
  return inTransaction(db, async (transaction) => {
    const [counter, mark] = await transaction.getAll(counterDoc(db), markDoc(db));
    refuseFenced(markIn(mark), outside);
    const first = counter?.exists === true ? (counter.get('next') as number) : 1;
    transaction.set(counterDoc(db), { next: first + BLOCK });
    return first;
  });
}

/** The lowest id that no block holds. @throws ServiceError `store.unavailable` */
export async function readNextId(db: Firestore): Promise<number> {
  const counter = await translated(() => counterDoc(db).get());
  return counter.exists ? (counter.get('next') as number) : 1;
}

/** Raises the counter to `next`, the lowest free id, unless it is already higher. @throws ServiceError `store.*` */
export async function raiseNextId(db: Firestore, next: number): Promise<void> {
  await inTransaction(db, async (transaction) => {
    const counter = await transaction.get(counterDoc(db));
    if (counter.exists && (counter.get('next') as number) >= next) return;
    transaction.set(counterDoc(db), { next });
  });
}
