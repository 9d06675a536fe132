/**
 * The atomic writes of an import (docs/domain.md#registration-files): a patient with reference, token, consent,
 * record, events and mail, or a failure with its record and staff mail. Each returns the outcome that was stored, which
 * may differ from the requested one: the file may have been imported already, or its person erased.
 */
import type { DocumentReference, Firestore, Transaction } from '@google-cloud/firestore';
import type { ChangeResult } from '../patient/change.ts';
import type { PaymentReference } from '../patient/schema.ts';
import type { Instant } from '../platform/clock.ts';
import { addConsent, type Consent } from './consents.ts';
import { inTransaction, isAlreadyExists, isPreconditionLost } from './firestore.ts';
import { commitTogether } from './group-commit.ts';
import { importDoc, toImportDocument, type ImportRecord, type RecordId } from './imports.ts';
import { addCount, type MailCount } from './mail-counts.ts';
import { addMail } from './outbox.ts';
import type { Mail } from '../patient/consequences.ts';
import { addPatient } from './patients.ts';
import { paymentReferenceDoc } from './payment-references.ts';
import { addToken, tokenDoc, type TokenHash, type TokenRecord } from './registration-tokens.ts';

/** Everything that one registration writes. */
export interface Registration {
  /** The new patient with its events and the confirmation mails. */
  readonly created: ChangeResult;
  readonly tokenHash: TokenHash;
  readonly consent: Consent;
  /** The counters of its mails. */
  readonly counts: readonly MailCount[];
  readonly record: ImportRecord;
  /** Upload time of this object; for a retried file, of its retry. */
  readonly fileUploadedAt: Instant;
}

/**
 * Stores a registration in one batch of create preconditions: no read, one round trip.
 * @returns false when this generation's record, the token or the reference already exists, or a count has changed
 * @throws ServiceError `store.unavailable`, `store.contention`
 */
export async function storeRegistration(
  db: Firestore,
  recordId: RecordId,
  registration: Registration,
  now: Instant,
): Promise<boolean> {
  const { created, tokenHash, consent, counts, record, fileUploadedAt } = registration;
  try {
    await commitTogether(db, (batch) => {
      batch.create(importDoc(db, recordId), toImportDocument(record, now));
      addToken(db, batch, tokenHash, created.patient.id);
      addConsent(db, batch, created.patient.id, consent);
      addPatient(db, batch, created, now, fileUploadedAt);
      for (const count of counts) addCount(db, batch, count, now);
    });
    return true;
  } catch (error) {
    if (isAlreadyExists(error) || isPreconditionLost(error)) return false;
    throw error;
  }
}

/** What the database knows of a file from which no patient is created. */
export interface Known {
  readonly token: TokenRecord | undefined;
  readonly referenceTaken: boolean;
}

/**
 * Records a file from which no patient is created, unless this generation already has a record.
 * @param decide makes the record from what the database knows, or returns undefined to write none; it may run again
 * @returns the stored record, new or existing
 */
export function recordWithoutPatient(
  db: Firestore,
  recordId: RecordId,
  file: { readonly tokenHash: TokenHash | null; readonly reference: PaymentReference | null },
  now: Instant,
  decide: (known: Known) => { readonly record: ImportRecord; readonly mail?: Mail } | undefined,
): Promise<ImportRecord | undefined> {
  const read = async (transaction: Transaction, doc: DocumentReference | null) =>
    doc === null ? undefined : transaction.get(doc);
  return inTransaction(db, async (transaction) => {
    const [existing, token, reference] = await Promise.all([
      transaction.get(importDoc(db, recordId)),
      read(transaction, file.tokenHash && tokenDoc(db, file.tokenHash)),
      read(transaction, file.reference && paymentReferenceDoc(db, file.reference)),
    ]);
    if (existing.exists) return existing.data() as ImportRecord;
    const decided = decide({
      token: token?.data() as TokenRecord | undefined,
      referenceTaken: reference?.exists === true,
    });
    if (decided === undefined) return undefined;
    const { record, mail } = decided;
    transaction.create(importDoc(db, recordId), toImportDocument(record, now));
    if (mail !== undefined) addMail(db, transaction, mail, record.patient_id);
    return record;
  });
}
