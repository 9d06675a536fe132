/** The payloads of consumed events (docs/domain.md#consumed-events). Unknown keys are accepted. */
import { z } from 'zod';
import { patientId, therapistId } from '../patient/schema.ts';

const openObject = z.looseObject({});

/** An id or a type name of another service. It is stored and compared as it came, without normalisation. */
const word = textOf(200);
const remark = textOf(2000);

/** Firestore refuses lone surrogates with an error that looks like an outage, so the event would be retried forever. */
function textOf(length: number) {
  return z
    .string()
    .max(length, `must have at most ${length} characters`)
    .refine((value) => value.isWellFormed(), 'must not hold a lone surrogate');
}

const persons = {
  patient_id: patientId
    .nullish()
    .describe('The patient concerned; without it the event is ignored and counted'),
  therapist_id: therapistId.nullish().describe('Not used'),
};

const email = z.looseObject({
  email_id: z
    .union([z.int(), word])
    .describe('Identifies the mail, also under another eventId; 7 and "7" are the same'),
  email_data: openObject.describe("Kept in the patient's communication history"),
  communication_type: word.describe("Kept in the patient's communication history"),
  ...persons,
});

const phoneCall = z.looseObject({
  call_id: z
    .union([z.int(), word])
    .describe('Identifies the call, also under another eventId; 7 and "7" are the same'),
  call_data: openObject.describe("Kept in the patient's communication history"),
  communication_type: word.describe("Kept in the patient's communication history"),
  ...persons,
  outcome: remark.nullish().describe("Kept in the patient's communication history"),
});

/** Payload schemas by event type, for the topic `communication-events`. Each description says what the event does here. */
export const communicationEventPayloads = {
  'email.sent': email.describe(
    'A mail went to the patient: an entry in the history, and the last contact moves',
  ),
  'email.response_received': email.describe(
    'The patient answered a mail: an entry in the history, and the last contact moves',
  ),
  'phone_call.completed': phoneCall.describe(
    'A call with the patient ended: an entry in the history, and the last contact moves',
  ),
} as const;

const therapist = z.looseObject({
  therapist_id: therapistId.describe('The therapist who is blocked or unblocked'),
  therapist_data: openObject.describe('Not used'),
  reason: remark.nullish().describe('Not used'),
});

/** Payload schemas by event type, for the topic `therapist-events`. Each description says what the event does here. */
export const therapistEventPayloads = {
  'therapist.blocked': therapist.describe(
    'The therapist treats nobody for now: every patient assigned to them loses the assignment and excludes them',
  ),
  'therapist.unblocked': therapist
    .partial({ therapist_data: true })
    .describe('The therapist is back: the exclusions that therapist.blocked made are removed'),
} as const;
