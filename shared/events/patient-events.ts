/** The schemas of the events that this service publishes on `patient-events`. The AsyncAPI document is made from them. */
import { z } from 'zod';
import { int32Id, text, timestamp } from '../patient/text.ts';
import { patientId, patientSchema, therapistId } from '../patient/schema.ts';
import { PATIENTENSTATUS } from '../patient/vocabulary.ts';
import { ENVELOPE_VERSION, PRODUCER } from './envelope.ts';

const patientData = z.object({
  patient_id: patientId,
  patient_data: patientSchema.describe('All fields of the patient after the change'),
});
const status = z.enum(PATIENTENSTATUS);

/** Payload by event type (docs/domain.md#events); each description says when the event is sent. */
export const patientEventPayloads = {
  'patient.created': patientData.describe('A patient was registered, by a file or through the API'),
  'patient.updated': patientData.describe(
    'A public field other than status and updated_at changed, or operators publish the state again',
  ),
  'patient.status_changed': z
    .object({
      patient_id: patientId,
      old_status: status.describe('Before the change'),
      new_status: status.describe('After the change'),
      patient_data: patientSchema.describe('All fields of the patient after the change'),
    })
    .describe('The status changed; exactly one event for a change'),
  'patient.therapist_excluded': z
    .object({
      patient_id: patientId,
      therapist_id: therapistId,
      reason: text(500).optional().describe('As staff wrote it, or therapist_blocked'),
    })
    .describe('A therapist is newly excluded; one event for each'),
  'patient.deleted': z
    .object({
      patient_id: patientId,
      id: patientId.describe('The same id, for readers that look for it here'),
      additional_data: z.object({ id: patientId }).describe('The same id, for readers that look for it here'),
    })
    .describe('The patient was erased; this is their last event'),
} as const;

/** The type of an event on `patient-events`. */
export type PatientEventType = keyof typeof patientEventPayloads;

/** The schema of the whole message, envelope and payload, for one event type. */
export function patientEventSchema(type: PatientEventType) {
  return z.object({
    eventId: z.uuid().describe('Identifies the event; a repeat has the same id'),
    eventType: z.literal(type).describe('What happened'),
    version: z
      .literal(ENVELOPE_VERSION)
      .describe('Version of the contract; 1.x only adds keys, values and event types'),
    timestamp: timestamp.describe('When the change was made'),
    producer: z.literal(PRODUCER).describe('Who published it'),
    sequence: int32Id.describe("The patient's own event number; a reader ignores one it has seen"),
    payload: patientEventPayloads[type],
  });
}
