/**
 * Imports one object of the bucket: read, decide, store in one write, move. It may run any number of times, also
 * concurrently, for one generation: only one run creates the import record, and the others finish the move.
 */
import type { Firestore } from '@google-cloud/firestore';
import { registerPatient, type ChangeResult } from '../patient/change.ts';
import type { PatientId, PaymentReference } from '../patient/schema.ts';
import { utcTimestamp, type Clock, type Instant } from '../platform/clock.ts';
import { isServiceError, ServiceError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { measured } from '../platform/metrics.ts';
import { readImport, recordIdOf, type ImportRecord, type RecordId } from '../store/imports.ts';
import type { AllocatePatientId } from '../store/patient-ids.ts';
import { keysOfFile } from '../store/person-keys.ts';
import { recordWithoutPatient, storeRegistration } from '../store/registrations.ts';
import type { TokenHash } from '../store/registration-tokens.ts';
import { archive, archivePath, isIncoming, removeCopies } from './archive.ts';
import type { FinalizedObject, ImportBucket } from './bucket.ts';
import type { MailSettings } from './confirmation-mail.ts';
import { failureMail } from './failure-mail.ts';
import { firstMails, mailsWithinLimit } from './mail-limit.ts';
import { mayBeLost, readFence } from './restore-fence.ts';
import { readObject } from './read-object.ts';
import type { RefusedFile, RegistrationFile } from './registration-file.ts';
import type { SignatureRules } from './signature.ts';

/** What an import needs. */
export interface ImportDependencies {
  readonly db: Firestore;
  readonly bucket: ImportBucket;
  readonly allocatePatientId: AllocatePatientId;
  readonly clock: Clock;
  readonly log: Log;
  readonly mail: MailSettings;
  readonly signature: SignatureRules;
}

interface IncomingObject extends FinalizedObject {
  readonly firstUploadedAt: Instant;
}

/**
 * How often a registration is tried. Of concurrent registrations with one address, one is stored per round. After the
 * fourth the count is full and no longer changes, so the others need no further round.
 */
const ROUNDS = 8;

/** `ignored`: not an uploaded file. `gone`: overwritten or deleted before it was read. */
export type ImportOutcome = ImportRecord['outcome'] | 'ignored' | 'gone';

/**
 * Imports the object. A file that breaks a rule is not an error: its outcome is `failed`.
 * @throws ServiceError only retriable ones (`store.*`, `storage.unavailable`); the caller has the object delivered again
 */
export async function importObject(
  deps: ImportDependencies,
  object: FinalizedObject,
): Promise<ImportOutcome> {
  if (!isIncoming(object.name)) return 'ignored';
  const recordId = recordIdOf(deps.bucket.name, object.name, object.generation);
  const found = await readObject(deps, object);
  const record =
    found === undefined
      ? await readImport(deps.db, recordId)
      : await store(deps, { ...object, ...found }, recordId, found.file);
  if (record === undefined) {
    deps.log.warn('Object gone before it was read', { record_id: recordId, generation: object.generation });
    // An earlier delivery may have died after its copy and before it checked whether the person was erased meanwhile.
    const fence = await readFence(deps);
    if (!mayBeLost(fence, object.uploadedAt)) await removeCopies(deps.bucket, recordId, object.uploadedAt);
    return 'gone';
  }
  // The download knows the stored encoding best. A file that is too large was not downloaded.
  const contentEncoding = found?.contentEncoding ?? object.contentEncoding;
  await archive(deps, { ...object, contentEncoding }, recordId, record);
  report(deps, object, recordId, record);
  return record.outcome;
}

function store(
  deps: ImportDependencies,
  object: IncomingObject,
  recordId: RecordId,
  file: RegistrationFile | RefusedFile,
): Promise<ImportRecord> {
  return 'error' in file
    ? storeRefused(deps, object, recordId, file)
    : storePatient(deps, object, recordId, file);
}

async function storePatient(
  deps: ImportDependencies,
  object: IncomingObject,
  recordId: RecordId,
  file: RegistrationFile,
): Promise<ImportRecord> {
  const { tokenHash } = file;
  const now = deps.clock();
  const created = registered(file, await deps.allocatePatientId(), now);
  if (created instanceof ServiceError) {
    return storeRefused(deps, object, recordId, { error: created, tokenHash, pairs: file.pairs });
  }
  const record: ImportRecord = {
    ...blankRecord(tokenHash, object, now),
    outcome: 'imported',
    patient_id: created.patient.id,
    archive_path: archivePath('processed', recordId, object.uploadedAt),
  };
  const consent = {
    consent_metadata: file.consentMetadata,
    registration_timestamp: file.registrationTimestamp,
    stored_at: utcTimestamp(now),
  };
  const { patient } = created;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { mails, counts, withheld } =
      round === 0
        ? firstMails(patient, recordId, deps.mail)
        : await mailsWithinLimit(deps.db, patient, recordId, deps.mail, now);
    const registration = {
      created: { ...created, mails },
      tokenHash,
      consent,
      record,
      fileUploadedAt: object.uploadedAt,
      counts,
    };
    const isStored = await storeRegistration(deps.db, recordId, registration, now);
    const standing = isStored
      ? record
      : await storeWithoutPatient(deps, object, recordId, {
          error: undefined,
          tokenHash,
          pairs: file.pairs,
          reference: patient.zahlungsreferenz,
        });
    // The conflict is not about this file: its address got a mail today, or an erasure has just removed the conflict.
    if (standing === undefined) continue;
    // Also warn when the client repeated the write, because the repeat fails on what the first attempt wrote.
    if (withheld && standing.patient_id === patient.id) {
      deps.log.warn('Confirmation mail withheld because its address has reached the daily limit', {
        patient_id: patient.id,
        record_id: recordId,
      });
    }
    return standing;
  }
  throw new ServiceError('store.contention');
}

async function storeRefused(
  deps: ImportDependencies,
  object: IncomingObject,
  recordId: RecordId,
  file: RefusedFile,
): Promise<ImportRecord> {
  const record = await storeWithoutPatient(deps, object, recordId, { ...file, reference: null });
  if (record === undefined) throw new ServiceError('internal');
  return record;
}

function registered(file: RegistrationFile, id: PatientId, now: Instant): ChangeResult | ServiceError {
  try {
    return registerPatient(id, file.patient, now);
  } catch (error) {
    if (isServiceError(error, 'patient.invalid')) {
      return new ServiceError('import.invalid', { violations: error.violations });
    }
    throw error;
  }
}

/**
 * Records a file that makes no patient. It breaks a rule (`error`), or it is valid but its person is already registered
 * (duplicate) or erased, or another token begins with the same eight characters.
 * @returns undefined when the file is valid and nothing conflicts with it
 */
async function storeWithoutPatient(
  deps: ImportDependencies,
  object: IncomingObject,
  recordId: RecordId,
  file: {
    readonly error: ServiceError | undefined;
    readonly tokenHash: TokenHash | null;
    readonly pairs: readonly string[];
    readonly reference: PaymentReference | null;
  },
): Promise<ImportRecord | undefined> {
  const now = deps.clock();
  const blank = blankRecord(file.tokenHash, object, now);
  const person_keys = await keysOfFile(deps.db, file.pairs);
  return recordWithoutPatient(deps.db, recordId, file, now, ({ token, referenceTaken }) => {
    if (token !== undefined && token.patient_id === null) {
      return { record: { ...blank, outcome: 'erased', token_sha256: null } };
    }
    if (file.error === undefined && token !== undefined) {
      const archive_path = archivePath('processed', recordId, object.uploadedAt);
      return { record: { ...blank, outcome: 'duplicate', patient_id: token.patient_id, archive_path } };
    }
    if (file.error === undefined && !referenceTaken) return undefined;
    const { code: reason, violations } = file.error ?? new ServiceError('import.reference_taken');
    const archive_path = archivePath('failed', recordId, object.uploadedAt);
    return {
      record: { ...blank, outcome: 'failed', person_keys, reason, violations, archive_path },
      mail: failureMail(
        { recordId, reason, archivePath: archive_path, violations: violations.length },
        deps.mail,
      ),
    };
  });
}

function blankRecord(
  tokenHash: TokenHash | null,
  object: IncomingObject,
  now: Instant,
): Omit<ImportRecord, 'outcome'> {
  return {
    patient_id: null,
    token_sha256: tokenHash,
    reason: null,
    violations: [],
    archive_path: null,
    archived_at: null,
    received_at: utcTimestamp(now),
    uploaded_at: utcTimestamp(object.firstUploadedAt),
  };
}

function report(
  { log, clock }: ImportDependencies,
  object: FinalizedObject,
  recordId: RecordId,
  record: ImportRecord,
) {
  const delay_ms = clock().epochMilliseconds - object.uploadedAt.epochMilliseconds;
  const { outcome, patient_id, reason } = record;
  log.record('File imported', {
    record_id: recordId,
    generation: object.generation,
    outcome,
    delay_ms,
    ...(patient_id === null ? {} : { patient_id }),
    ...(reason === null ? {} : { reason }),
    ...measured({ imports: 1, import_latency_ms: delay_ms }, { outcome }),
  });
}
