/**
 * The atomic write of a patient created through the API: patient, reference, events and idempotency key together,
 * in one batch of create preconditions and without a read.
 */
import type { Firestore } from '@google-cloud/firestore';
import pRetry from 'p-retry';
import { registerPatient } from '../patient/change.ts';
import type { NewPatient } from '../patient/schema.ts';
import { parseTimestamp, type Instant } from '../platform/clock.ts';
import { isServiceError, ServiceError } from '../platform/errors.ts';
import { addAuditEntry, newAuditEntry, type AuditEntry, type Author } from './audit-trail.ts';
import { isAlreadyExists, translated } from './firestore.ts';
import { commitTogether } from './group-commit.ts';
import { addIdempotencyKey, findEarlierRequest, type IdempotentRequest } from './idempotency-keys.ts';
import type { AllocatePatientId } from './patient-ids.ts';
import { addPatient, patientDoc, readPatient, type StoredPatient } from './patients.ts';
import { paymentReferenceDoc, referenceTaken } from './payment-references.ts';

/** What a request to create a patient did. */
export interface Creation {
  /** The patient as created, even if it has changed since. */
  readonly stored: StoredPatient;
  /** Undefined when an earlier request with the same key created it. */
  readonly audit: AuditEntry | undefined;
}

/**
 * Creates a patient, or finds what the same request created before.
 * @throws ServiceError `patient.invalid`, `patient.reference_taken`, `request.idempotency_key_reused`,
 * `request.idempotent_patient_erased`, `store.*`
 */
export function createPatient(
  db: Firestore,
  allocateId: AllocatePatientId,
  input: NewPatient,
  request: IdempotentRequest | undefined,
  now: Instant,
  author: Author,
): Promise<Creation> {
  return pRetry(() => attempt(db, allocateId, input, request, now, author), {
    retries: 6,
    minTimeout: 20,
    randomize: true,
    shouldRetry: ({ error }) => isServiceError(error, 'store.contention'),
  });
}

async function attempt(
  db: Firestore,
  allocateId: AllocatePatientId,
  input: NewPatient,
  request: IdempotentRequest | undefined,
  now: Instant,
  author: Author,
): Promise<Creation> {
  const created = registerPatient(await allocateId(), input, now);
  const audit = newAuditEntry(author, created.patient.id, Object.keys(input));
  const stored = { patient: created.patient, sequence: created.events.length };
  try {
    await commitTogether(db, (batch) => {
      addPatient(db, batch, created, now);
      if (request !== undefined) {
        const made = { patientId: stored.patient.id, version: stored.sequence };
        addIdempotencyKey(db, batch, request, made, now);
      }
      addAuditEntry(db, batch, audit);
    });
    return { stored, audit };
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    // The client retries a commit whose answer was lost, and then finds its own document. Ids are never reused.
    const own = await translated(() => patientDoc(db, stored.patient.id).get());
    return own.exists ? { stored, audit } : whatStoodInTheWay(db, input, request, now, error);
  }
}

async function whatStoodInTheWay(
  db: Firestore,
  input: NewPatient,
  request: IdempotentRequest | undefined,
  now: Instant,
  cause: unknown,
): Promise<Creation> {
  const earlier = request === undefined ? undefined : await findEarlierRequest(db, request, now);
  if (earlier !== undefined) return { stored: await createdBy(db, input, earlier), audit: undefined };
  const reference = input.zahlungsreferenz ?? null;
  if (reference !== null) {
    const holder = await translated(() => paymentReferenceDoc(db, reference).get());
    if (holder.exists) throw referenceTaken();
  }
  // An expired key or an erased patient's reference got in the way, and is gone now.
  throw new ServiceError('store.contention', { cause });
}

/** The patient as the earlier request made it: the same body at the same time is the same patient. */
async function createdBy(
  db: Firestore,
  input: NewPatient,
  { patientId, version }: { patientId: StoredPatient['patient']['id']; version: number },
): Promise<StoredPatient> {
  const { patient } = await readPatient(db, patientId).catch((error: unknown) => {
    // The patient's erasure has begun and has not reached the key yet.
    if (isServiceError(error, 'patient.not_found'))
      throw new ServiceError('request.idempotent_patient_erased');
    throw error;
  });
  const createdAt = parseTimestamp(patient.created_at);
  if (createdAt === undefined) throw new ServiceError('internal');
  return { patient: registerPatient(patientId, input, createdAt).patient, sequence: version };
}
