/**
 * Requests that may be sent twice (`Idempotency-Key`): hashes of the key and the body, and the patient and version that
 * the request created. The response is not stored, but built again from the same body.
 */
import { createHash } from 'node:crypto';
import {
  Timestamp,
  type CollectionReference,
  type DocumentReference,
  type Firestore,
} from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import type { Instant } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { isPreconditionLost, translated, type Writer } from './firestore.ts';

/** 24 hours: longer than any client keeps retrying. */
const KEPT_MS = 24 * 3600 * 1000;

/**
 * A request by its hashes, SHA-256 in hexadecimal. A key belongs to its caller: the same key from another caller is
 * another key.
 */
export interface IdempotentRequest {
  readonly keyHash: string;
  readonly bodyHash: string;
}

/** What an earlier request with the same key created. */
export interface EarlierRequest {
  readonly patientId: PatientId;
  /** The patient's sequence after the request. */
  readonly version: number;
}

/** @param caller subject of the caller's token */
export function idempotentRequest(caller: string, key: string, body: Uint8Array): IdempotentRequest {
  const hash = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');
  return { keyHash: hash(JSON.stringify([caller, key])), bodyHash: hash(body) };
}

/** The collection `idempotency_keys`. */
export function idempotencyKeyDocs(db: Firestore): CollectionReference {
  return db.collection('idempotency_keys');
}

function keyDoc(db: Firestore, keyHash: string): DocumentReference {
  return idempotencyKeyDocs(db).doc(keyHash);
}

/** Stores what the request created; the whole write fails with ALREADY_EXISTS when its key is known. */
export function addIdempotencyKey(
  db: Firestore,
  writer: Writer,
  { keyHash, bodyHash }: IdempotentRequest,
  made: EarlierRequest,
  now: Instant,
): void {
  writer.create(keyDoc(db, keyHash), {
    patient_id: made.patientId,
    version: made.version,
    body_sha256: bodyHash,
    expires_at: Timestamp.fromMillis(now.epochMilliseconds + KEPT_MS),
  });
}

/**
 * What an earlier request with this key created; undefined when there was none. An expired one is removed, since
 * Firestore's TTL takes up to a day for that.
 * @throws ServiceError `request.idempotency_key_reused`, `request.idempotent_patient_erased`, `store.*`
 */
export async function findEarlierRequest(
  db: Firestore,
  { keyHash, bodyHash }: IdempotentRequest,
  now: Instant,
): Promise<EarlierRequest | undefined> {
  const snapshot = await translated(() => keyDoc(db, keyHash).get());
  const { updateTime } = snapshot;
  if (updateTime === undefined) return undefined;
  if ((snapshot.get('expires_at') as Timestamp).toMillis() <= now.epochMilliseconds) {
    await discard(snapshot.ref, updateTime);
    return undefined;
  }
  if (snapshot.get('erased') === true) throw new ServiceError('request.idempotent_patient_erased');
  if (snapshot.get('body_sha256') !== bodyHash) throw new ServiceError('request.idempotency_key_reused');
  return { patientId: snapshot.get('patient_id') as PatientId, version: snapshot.get('version') as number };
}

async function discard(ref: DocumentReference, readAt: Timestamp): Promise<void> {
  try {
    await translated(() => ref.delete({ lastUpdateTime: readAt }));
  } catch (error) {
    if (!isPreconditionLost(error)) throw error;
  }
}

/** The keys of requests that created the patient. */
export function patientKeysQuery(db: Firestore, patientId: PatientId) {
  return idempotencyKeyDocs(db).where('patient_id', '==', patientId);
}

/** Replaces the patient's requests with tombstones that expire when the requests would have. */
export async function buryIdempotencyKeys(db: Firestore, patientId: PatientId): Promise<void> {
  const known = await translated(() => patientKeysQuery(db, patientId).get());
  const batch = db.batch();
  for (const doc of known.docs) {
    batch.set(doc.ref, { erased: true, expires_at: doc.get('expires_at') as Timestamp });
  }
  await translated(() => batch.commit());
}
