/** The events of other services that this one acts on (DOMAIN 3). Unknown keys are accepted. */
import { z } from 'zod';
import { patientId, therapistId } from '../patient/schema.ts';

const openObject = z.looseObject({});

const email = z.looseObject({
  email_id: z.union([z.int(), z.string()]),
  email_data: openObject,
  communication_type: z.string(),
  patient_id: patientId.nullish(),
  therapist_id: therapistId.nullish(),
});

const phoneCall = z.looseObject({
  call_id: z.union([z.int(), z.string()]),
  call_data: openObject,
  communication_type: z.string(),
  patient_id: patientId.nullish(),
  therapist_id: therapistId.nullish(),
  outcome: z.string().nullish(),
});

export const communicationEventPayloads = {
  'email.sent': email,
  'email.response_received': email,
  'phone_call.completed': phoneCall,
} as const;

const therapist = z.looseObject({
  therapist_id: therapistId,
  therapist_data: openObject,
  reason: z.string().nullish(),
});

export const therapistEventPayloads = {
  'therapist.blocked': therapist,
  'therapist.unblocked': therapist.partial({ therapist_data: true }),
} as const;
