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

const email = z.looseObject({
  email_id: z.union([z.int(), word]),
  email_data: openObject,
  communication_type: word,
  patient_id: patientId.nullish(),
  therapist_id: therapistId.nullish(),
});

const phoneCall = z.looseObject({
  call_id: z.union([z.int(), word]),
  call_data: openObject,
  communication_type: word,
  patient_id: patientId.nullish(),
  therapist_id: therapistId.nullish(),
  outcome: remark.nullish(),
});

/** Payload schemas by event type, for the topic `communication-events`. */
export const communicationEventPayloads = {
  'email.sent': email,
  'email.response_received': email,
  'phone_call.completed': phoneCall,
} as const;

const therapist = z.looseObject({
  therapist_id: therapistId,
  therapist_data: openObject,
  reason: remark.nullish(),
});

/** Payload schemas by event type, for the topic `therapist-events`. */
export const therapistEventPayloads = {
  'therapist.blocked': therapist,
  'therapist.unblocked': therapist.partial({ therapist_data: true }),
} as const;
