/**
 * Patient ids: 32-bit integers from a counter document (`counters/patient_id`), leased in blocks so that
 * registrations do not queue on it. A process that ends loses the rest of its block; an id is never used twice.
 */
import type { Firestore } from '@google-cloud/firestore';
import { patientId, type PatientId } from '../patient/schema.ts';
import { inTransaction } from './firestore.ts';

const BLOCK = 100;

/** Allocates ids one by one. @throws ServiceError `store.contention` or `store.unavailable` */
export type AllocatePatientId = () => Promise<PatientId>;

export function createPatientIds(db: Firestore): AllocatePatientId {
  const free: PatientId[] = [];
  let leasing: Promise<void> | undefined;

  const lease = async () => {
    const first = await leaseBlock(db);
    free.push(...Array.from({ length: BLOCK }, (_, at) => patientId.parse(first + at)));
  };

  return async function allocate() {
    const id = free.shift();
    if (id !== undefined) return id;
    leasing ??= lease().finally(() => (leasing = undefined));
    await leasing;
    return allocate();
  };
}

async function leaseBlock(db: Firestore): Promise<number> {
  const counter = db.collection('counters').doc('patient_id');
  return inTransaction(db, async (transaction) => {
    const snapshot = await transaction.get(counter);
    const first = snapshot.exists ? (snapshot.get('next') as number) : 1;
    transaction.set(counter, { next: first + BLOCK });
    return first;
  });
}
