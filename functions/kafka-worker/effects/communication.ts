/**
 * What a mail or a call does to its patient (DOMAIN 3): one entry in the communication history for each event, and
 * `letzter_kontakt`, both in one transaction. The event's id is the entry's, so a repeat changes nothing.
 */
import type { Firestore } from '@google-cloud/firestore';
import { communicationEventPayloads } from '../../../shared/events/consumed-events.ts';
import type { ForeignEnvelope } from '../../../shared/events/envelope.ts';
import { recordContact } from '../../../shared/patient/change.ts';
import type { PatientId } from '../../../shared/patient/schema.ts';
import { berlinDateOf, utcTimestamp, type Clock } from '../../../shared/platform/clock.ts';
import { isServiceError, ServiceError } from '../../../shared/platform/errors.ts';
import { addCommunication, type CommunicationEntry } from '../../../shared/store/communication-history.ts';
import { inTransaction, isAlreadyExists } from '../../../shared/store/firestore.ts';
import { patientDoc, updatePatientWithin } from '../../../shared/store/patients.ts';
import { inTurn } from '../../../shared/store/turns.ts';
import type { Effect } from './effect.ts';

export function communicationEffect(db: Firestore, clock: Clock): Effect {
  return {
    types: Object.keys(communicationEventPayloads),
    async apply(event) {
      const { patientId, entry } = read(event);
      if (patientId === null) return { outcome: 'no_patient' };
      return inTurn(patientDoc(db, patientId), () => record(db, clock, patientId, entry, event));
    },
  };
}

/** @throws ServiceError `event.invalid_payload` */
function read(event: ForeignEnvelope): { patientId: PatientId | null; entry: CommunicationEntry } {
  const schema = communicationEventPayloads[event.eventType as keyof typeof communicationEventPayloads];
  const parsed = schema.safeParse(event.payload);
  if (!parsed.success) throw new ServiceError('event.invalid_payload');
  const payload = parsed.data;
  return {
    patientId: payload.patient_id ?? null,
    entry: {
      event_id: event.eventId,
      event_type: event.eventType,
      occurred_at: utcTimestamp(event.occurredAt),
      reference_id: String('email_id' in payload ? payload.email_id : payload.call_id),
      data: payload,
    },
  };
}

async function record(
  db: Firestore,
  clock: Clock,
  patientId: PatientId,
  entry: CommunicationEntry,
  event: ForeignEnvelope,
) {
  const now = clock();
  try {
    await inTransaction(db, async (transaction) => {
      await updatePatientWithin(db, transaction, patientId, now, ({ patient }) =>
        recordContact(patient, berlinDateOf(event.occurredAt), now),
      );
      addCommunication(db, transaction, patientId, entry);
    });
    return { outcome: 'applied', patientId } as const;
  } catch (error) {
    if (isAlreadyExists(error)) return { outcome: 'duplicate', patientId } as const;
    if (isServiceError(error, 'patient.not_found')) return { outcome: 'unknown_patient', patientId } as const;
    throw error;
  }
}
