/** The schemas of the events that this service publishes on `patient-events`. The AsyncAPI document is made from them. */
import { z } from 'zod';
import { int32Id, text, timestamp } from '../patient/text.ts';
import { patientId, patientSchema, therapistId } from '../patient/schema.ts';
import { PATIENTENSTATUS } from '../patient/vocabulary.ts';
import { ENVELOPE_VERSION, PRODUCER } from './envelope.ts';

const patientData = z.object({ patient_id: patientId, patient_data: patientSchema });
const status = z.enum(PATIENTENSTATUS);

/** Payload by event type (docs/domain.md#events). */
export const patientEventPayloads = {
  'patient.created': patientData,
  'patient.updated': patientData,
  'patient.status_changed': z.object({
    patient_id: patientId,
    old_status: status,
    new_status: status,
    patient_data: patientSchema,
  }),
  'patient.therapist_excluded': z.object({
    patient_id: patientId,
    therapist_id: therapistId,
    reason: text(500).optional(),
  }),
  'patient.deleted': z.object({
    patient_id: patientId,
    id: patientId,
    additional_data: z.object({ id: patientId }),
  }),
} as const;

/** The type of an event on `patient-events`. */
export type PatientEventType = keyof typeof patientEventPayloads;

/** The schema of the whole message, envelope and payload, for one event type. */
export function patientEventSchema(type: PatientEventType) {
  return z.object({
    eventId: z.uuid(),
    eventType: z.literal(type),
    version: z.literal(ENVELOPE_VERSION),
    timestamp,
    producer: z.literal(PRODUCER),
    sequence: int32Id.describe("The patient's own event number; a reader ignores one it has seen"),
    payload: patientEventPayloads[type],
  });
}
