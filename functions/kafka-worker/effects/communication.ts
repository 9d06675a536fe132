/**
 * Records a mail or a call: one transaction adds an entry to the patient's communication history and sets
 * `letzter_kontakt`. A repeated event changes nothing, and neither does the same contact under a new event id: the first
 * event and its time count.
 */
import type { Firestore } from '@google-cloud/firestore';
import { communicationEventPayloads } from '../../../shared/events/consumed-events.ts';
import type { ForeignEnvelope } from '../../../shared/events/envelope.ts';
import { recordContact } from '../../../shared/patient/change.ts';
import type { PatientId } from '../../../shared/patient/schema.ts';
import { berlinDateOf, utcTimestamp, type Clock } from '../../../shared/platform/clock.ts';
import { isServiceError, ServiceError } from '../../../shared/platform/errors.ts';
import { isNestedAtMost, MAX_LEVELS } from '../../../shared/platform/nesting.ts';
import {
  addCommunication,
  eventOfContact,
  isKnownContact,
  type CommunicationEntry,
} from '../../../shared/store/communication-history.ts';
import { inTransaction, isAlreadyExists } from '../../../shared/store/firestore.ts';
import { patientDoc, updatePatientWithin } from '../../../shared/store/patients.ts';
import { inTurn } from '../../../shared/store/turns.ts';
import type { Applied, Effect } from './effect.ts';

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
  if (!isNestedAtMost(payload, MAX_LEVELS)) throw new ServiceError('event.invalid_payload');
  return {
    patientId: payload.patient_id ?? null,
    entry: {
      event_id: event.eventId,
      event_type: event.eventType,
      occurred_at: utcTimestamp(event.occurredAt),
      // 7 and "7" are the same id: producers differ in how they write it.
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
): Promise<Applied> {
  const now = clock();
  if (await isKnownContact(db, patientId, entry)) return { outcome: 'duplicate', patientId };
  try {
    return await inTransaction<Applied>(db, async (transaction, earlier) => {
      // The answer to an earlier run's commit was lost: the entry that this run wrote is not a duplicate.
      const made = earlier.at(-1);
      if (made !== undefined && (await eventOfContact(db, transaction, patientId, entry)) === entry.event_id)
        return made;
      await updatePatientWithin(db, transaction, patientId, now, ({ patient }) =>
        recordContact(patient, berlinDateOf(event.occurredAt), now),
      );
      addCommunication(db, transaction, patientId, entry);
      return { outcome: 'applied', patientId };
    });
  } catch (error) {
    if (isAlreadyExists(error)) return { outcome: 'duplicate', patientId };
    if (isServiceError(error, 'patient.not_found')) return { outcome: 'unknown_patient', patientId };
    throw error;
  }
}
