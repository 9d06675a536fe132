/**
 * The registration tokens that became patients, by hash. A token's document makes a second file of the same
 * registration a duplicate. After the erasure it stays as a tombstone, so that a late delivery does not create the
 * patient again.
 */
import { createHash } from 'node:crypto';
import type { CollectionReference, DocumentReference, Firestore, Transaction } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import type { Instant, UtcTimestamp } from '../platform/clock.ts';
import { utcTimestamp } from '../platform/clock.ts';
import type { Writer } from './firestore.ts';

declare const tokenHash: unique symbol;

/** SHA-256 of a token in hexadecimal. */
export type TokenHash = string & { readonly [tokenHash]: true };

/** Whose registration it was. */
export interface TokenRecord {
  /** Null once the patient is erased. */
  readonly patient_id: PatientId | null;
  readonly erased_at: UtcTimestamp | null;
}

/** SHA-256 of a token, in hexadecimal. */
export function hashToken(token: string): TokenHash {
  return createHash('sha256').update(token).digest('hex') as TokenHash;
}

/** The collection `registration_tokens`. */
function tokenDocs(db: Firestore): CollectionReference {
  return db.collection('registration_tokens');
}

/** The document of a token. */
export function tokenDoc(db: Firestore, hash: TokenHash): DocumentReference {
  return tokenDocs(db).doc(hash);
}

/** Ties a token to its patient; the whole write fails with ALREADY_EXISTS when the token is known. */
export function addToken(db: Firestore, writer: Writer, hash: TokenHash, patientId: PatientId): void {
  const record: TokenRecord = { patient_id: patientId, erased_at: null };
  writer.create(tokenDoc(db, hash), record);
}

/** Turns a token into a tombstone that holds only the time of the erasure. */
export function buryToken(db: Firestore, transaction: Transaction, hash: TokenHash, now: Instant): void {
  const record: TokenRecord = { patient_id: null, erased_at: utcTimestamp(now) };
  transaction.set(tokenDoc(db, hash), record);
}

/** The tokens of a patient. */
export function patientTokensQuery(db: Firestore, patientId: PatientId) {
  return tokenDocs(db).where('patient_id', '==', patientId);
}
