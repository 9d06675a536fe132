/**
 * Keeps `zahlungsreferenz` unique: records which patient holds which payment reference. A document's id is the hash of
 * its reference, because the reference is part of the registration token and ids outlive data.
 */
import { createHash } from 'node:crypto';
import type { DocumentReference, Firestore, Transaction } from '@google-cloud/firestore';
import type { PatientId, PaymentReference } from '../patient/schema.ts';
import { ServiceError } from '../platform/errors.ts';
import type { Writer } from './firestore.ts';

/** The document that says who holds the reference. Its id is a SHA-256 of the reference. */
export function paymentReferenceDoc(db: Firestore, reference: PaymentReference): DocumentReference {
  return db.collection('payment_references').doc(createHash('sha256').update(reference).digest('hex'));
}

/** Takes the reference for a patient; the whole write fails with ALREADY_EXISTS when another patient has it. */
export function takeReference(
  db: Firestore,
  writer: Writer,
  reference: PaymentReference,
  holder: PatientId,
): void {
  writer.create(paymentReferenceDoc(db, reference), { patient_id: holder });
}

/**
 * Exchanges a patient's reference within a transaction that has not written yet.
 * @throws ServiceError `patient.reference_taken` when another patient has it
 */
export async function exchangeReference(
  db: Firestore,
  transaction: Transaction,
  holder: PatientId,
  before: PaymentReference | null,
  after: PaymentReference | null,
): Promise<void> {
  if (before === after) return;
  if (after !== null) await refuseTaken(db, transaction, after);
  if (before !== null) transaction.delete(paymentReferenceDoc(db, before));
  if (after !== null) takeReference(db, transaction, after, holder);
}

async function refuseTaken(
  db: Firestore,
  transaction: Transaction,
  reference: PaymentReference,
): Promise<void> {
  const taken = await transaction.get(paymentReferenceDoc(db, reference));
  if (taken.exists) throw referenceTaken();
}

/** The error for a reference that another patient holds. */
export function referenceTaken(): ServiceError {
  return new ServiceError('patient.reference_taken', {
    violations: [{ pointer: '/zahlungsreferenz', detail: 'is the reference of another patient' }],
  });
}
