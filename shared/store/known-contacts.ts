/**
 * The contacts that a patient's communication history holds: one empty document for each, below the patient's document.
 * Its id is made of what identifies the contact, so a second entry for it cannot be written, and no write has to look first.
 */
import { createHash } from 'node:crypto';
import type { CollectionReference, Firestore } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import type { Writer } from './firestore.ts';
import { patientDoc } from './patients.ts';

/** What identifies a contact. */
export interface ContactKey {
  readonly event_id: string;
  readonly event_type: string;
  /** The id of the mail or the call; if it is empty, the event's id alone identifies the contact. */
  readonly reference_id: string;
}

/** The collection below a patient. */
export function knownContactDocs(db: Firestore, patientId: PatientId): CollectionReference {
  return patientDoc(db, patientId).collection('known_contacts');
}

/** Notes the contact; the whole write fails with ALREADY_EXISTS when it is known. */
export function noteContact(db: Firestore, writer: Writer, patientId: PatientId, key: ContactKey): void {
  if (!hasReference(key)) return;
  const id = createHash('sha256')
    .update(JSON.stringify([key.event_type, key.reference_id]))
    .digest('hex');
  writer.create(knownContactDocs(db, patientId).doc(id), {});
}

/** True for two events of the same contact, and for two deliveries of the same event. */
export function isSameContact(one: ContactKey, other: ContactKey): boolean {
  if (one.event_id === other.event_id) return true;
  return hasReference(one) && one.event_type === other.event_type && one.reference_id === other.reference_id;
}

function hasReference({ reference_id }: ContactKey): boolean {
  return reference_id.trim() !== '';
}
