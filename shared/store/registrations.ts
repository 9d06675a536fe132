/**
 * The atomic writes of an import (DOMAIN 4): a patient with reference, token, consent, record, events and mail,
 * or a failure with its record and staff mail. Each says what the database decided, which may be another
 * outcome than the one asked for: the file may have been imported already, or its person erased.
 */
import type { DocumentSnapshot, Firestore } from '@google-cloud/firestore';
import type { ChangeResult } from '../patient/change.ts';
import type { Instant } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { addConsent, type Consent } from './consents.ts';
import { inTransaction, isAlreadyExists, translated } from './firestore.ts';
import { importDoc, toImportDocument, type ImportRecord, type RecordId } from './imports.ts';
import { addMail, type Mail } from './outbox.ts';
import { addPatient } from './patients.ts';
import { paymentReferenceDoc } from './payment-references.ts';
import { addToken, tokenDoc, type TokenHash, type TokenRecord } from './registration-tokens.ts';

export interface Registration {
  readonly created: ChangeResult;
  readonly tokenHash: TokenHash;
  readonly consent: Consent;
  readonly mail: Mail | undefined;
  readonly record: ImportRecord;
}

/** What stood in the way of a registration. */
export type Conflict = 'recorded' | 'known_token' | 'reference_taken';

/**
 * Stores a registration in one batch of create preconditions: no read, one round trip.
 * @returns undefined when it is stored, else what stood in the way
 * @throws ServiceError `store.unavailable`, `store.contention`
 */
export async function storeRegistration(
  db: Firestore,
  recordId: RecordId,
  registration: Registration,
  now: Instant,
): Promise<Conflict | undefined> {
  const { created, tokenHash, consent, mail, record } = registration;
  const batch = db.batch();
  batch.create(importDoc(db, recordId), toImportDocument(record, now));
  addToken(db, batch, tokenHash, created.patient.id);
  addConsent(db, batch, created.patient.id, consent);
  addPatient(db, batch, created, now);
  if (mail !== undefined) addMail(db, batch, mail, created.patient.id);
  try {
    await translated(() => batch.commit());
    return undefined;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return conflictOf(db, recordId, registration, error);
  }
}

async function conflictOf(
  db: Firestore,
  recordId: RecordId,
  { created, tokenHash }: Registration,
  cause: unknown,
): Promise<Conflict> {
  const reference = created.patient.zahlungsreferenz;
  const [record, token, taken] = await translated(() =>
    db.getAll(
      importDoc(db, recordId),
      tokenDoc(db, tokenHash),
      ...(reference === null ? [] : [paymentReferenceDoc(db, reference)]),
    ),
  );
  if (record?.exists === true) return 'recorded';
  if (token?.exists === true) return 'known_token';
  if (taken?.exists === true) return 'reference_taken';
  // Whatever was in the way is gone again, by an erasure: the delivery is worth another try.
  throw new ServiceError('store.contention', { cause });
}

/**
 * Records a file from which no patient comes, unless this generation has a record already.
 * @param wanted the record as it is to be, given what is known of the file's token
 * @returns the record that stands
 */
export function recordWithoutPatient(
  db: Firestore,
  recordId: RecordId,
  tokenHash: TokenHash | null,
  now: Instant,
  wanted: (token: TokenRecord | undefined) => { readonly record: ImportRecord; readonly mail?: Mail },
): Promise<ImportRecord> {
  return inTransaction(db, async (transaction) => {
    const [existing, token]: DocumentSnapshot[] = await transaction.getAll(
      importDoc(db, recordId),
      ...(tokenHash === null ? [] : [tokenDoc(db, tokenHash)]),
    );
    if (existing?.exists === true) return existing.data() as ImportRecord;
    const { record, mail } = wanted(token?.data() as TokenRecord | undefined);
    transaction.create(importDoc(db, recordId), toImportDocument(record, now));
    if (mail !== undefined) addMail(db, transaction, mail, record.patient_id);
    return record;
  });
}
