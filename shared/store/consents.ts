/**
 * The consent given with a registration (docs/domain.md#registration-files): the GDPR proof, kept with the patient
 * and in no event.
 */
import type { DocumentReference, Firestore } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import type { UtcTimestamp } from '../platform/clock.ts';
import { translated, type Writer } from './firestore.ts';

/**
 * The consent that a person gave with the registration. `registration_timestamp` is as the website sent it.
 */
export interface Consent {
  /** The website's block, unchanged. */
  readonly consent_metadata: Readonly<Record<string, unknown>>;
  readonly registration_timestamp: string | null;
  readonly stored_at: UtcTimestamp;
}

/** The document of a patient's consent. */
export function consentDoc(db: Firestore, patientId: PatientId): DocumentReference {
  return db.collection('consents').doc(String(patientId));
}

/** The consent; undefined for a patient who was registered through the API. @throws ServiceError `store.*` */
export async function readConsent(db: Firestore, patientId: PatientId): Promise<Consent | undefined> {
  const stored = (await translated(() => consentDoc(db, patientId).get())).data();
  if (stored === undefined) return undefined;
  return {
    consent_metadata: JSON.parse(stored['consent_metadata'] as string) as Consent['consent_metadata'],
    registration_timestamp: stored['registration_timestamp'] as string | null,
    stored_at: stored['stored_at'] as UtcTimestamp,
  };
}

/** Adds the consent to a write, which fails as a whole with ALREADY_EXISTS when the patient has one. */
export function addConsent(db: Firestore, writer: Writer, patientId: PatientId, consent: Consent): void {
  // As text: an open object may hold what a Firestore map cannot, such as an array within an array.
  const { consent_metadata, ...rest } = consent;
  writer.create(consentDoc(db, patientId), { ...rest, consent_metadata: JSON.stringify(consent_metadata) });
}
