/** A Firestore project with patients, and functions to inspect them. */
import { randomUUID } from 'node:crypto';
import pRetry from 'p-retry';
import { Temporal } from 'temporal-polyfill';
import { registerPatient } from '../../shared/patient/change.ts';
import { patientId, type Patient } from '../../shared/patient/schema.ts';
import { connectFirestore, isAlreadyExists } from '../../shared/store/firestore.ts';
import { addPatient, readPatient } from '../../shared/store/patients.ts';
import { aNewPatient, AUTUMN } from './builders.ts';

export function patientsWorld() {
  const project = `demo-${randomUUID().slice(0, 8)}`;
  const db = connectFirestore({ GOOGLE_CLOUD_PROJECT: project });
  return {
    db,
    project,
    async register(id: number, fields: Record<string, unknown> = {}): Promise<void> {
      const created = registerPatient(patientId.parse(id), aNewPatient(fields), AUTUMN);
      // The emulator sometimes responds with UNKNOWN while it notifies listeners, whether it has committed or not.
      await pRetry(
        async (attempt) => {
          const batch = db.batch();
          addPatient(db, batch, created, AUTUMN);
          await batch.commit().catch((error: unknown) => {
            if (attempt === 1 || !isAlreadyExists(error)) throw error;
          });
        },
        { retries: 3, minTimeout: 100, shouldRetry: ({ error }) => (error as { code?: number }).code === 2 },
      );
    },
    patient: async (id: number): Promise<Patient> => (await readPatient(db, patientId.parse(id))).patient,
    sequence: async (id: number): Promise<number> => (await readPatient(db, patientId.parse(id))).sequence,
    /** Event ids of the patient's history entries. */
    async history(id: number): Promise<string[]> {
      const { docs } = await db.collection(`patients/${id}/communication`).get();
      return docs.map((doc) => doc.get('event_id') as string);
    },
    /** The number of history entries of all patients together. */
    countHistory: async (): Promise<number> =>
      (await db.collectionGroup('communication').count().get()).data().count,
    /** Types of a patient's events in the outbox, in order. */
    async events(id: number): Promise<string[]> {
      const { docs } = await db.collection('outbox').where('patient_id', '==', id).get();
      return docs
        .sort((a, b) => (a.get('sequence') as number) - (b.get('sequence') as number))
        .map((doc) => doc.get('event_type') as string);
    },
  };
}

/** A message value as another service writes it. */
export function aForeignEvent(
  eventType: string,
  payload: object,
  overrides: Record<string, unknown> = {},
): { eventId: string } & Record<string, unknown> {
  return {
    eventId: randomUUID(),
    eventType,
    version: '1.0',
    timestamp: '2026-11-03T10:00:00Z',
    producer: 'another-service',
    payload,
    ...overrides,
  };
}

/** An event of a new mail, or another event of the mail `emailId`. */
export function anEmailSent(
  patient: number | null,
  overrides: Record<string, unknown> = {},
  emailId: string | number = randomUUID(),
) {
  const payload = {
    email_id: emailId,
    email_data: { betreff: 'x' },
    communication_type: 'patient',
    patient_id: patient,
  };
  return aForeignEvent('email.sent', { ...payload, therapist_id: null }, overrides);
}

export const LATER = Temporal.Instant.from('2026-11-05T09:00:00Z');

/** An event of a new mail to a patient, sent now. */
export function aMailTo(patient: number, overrides: Record<string, unknown> = {}) {
  const payload = {
    email_id: randomUUID(),
    email_data: {},
    communication_type: 'patient',
    patient_id: patient,
    therapist_id: null,
  };
  return anEmailSent(patient, { timestamp: new Date().toISOString(), payload, ...overrides });
}
