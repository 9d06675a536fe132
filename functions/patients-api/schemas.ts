/** The named schemas of the contract: the bodies of requests and responses. */
import { z } from 'zod';
import { examplePatient } from '../../shared/patient/example.ts';
import { newPatientSchema, patchSchema, patientId, patientSchema } from '../../shared/patient/schema.ts';
import { calendarDate, timestamp } from '../../shared/patient/text.ts';
import { errorCodes, type ErrorCode } from '../../shared/platform/errors.ts';
import { problemTypeOf } from '../../shared/platform/problem-details.ts';
import { IMPORT_OUTCOMES } from '../../shared/store/import-statistics.ts';

const limit = z.int().min(1).max(1000);
const nextPageToken = z.string().nullable().describe('Asks for the next page; null on the last one');

const violation = z.object({
  pointer: z.string().describe('JSON pointer to the invalid value; for a parameter, its name after a slash'),
  detail: z.string().describe('The broken rule'),
});

const counters = z.object(
  Object.fromEntries(IMPORT_OUTCOMES.map((outcome) => [outcome, z.int().min(0)])) as Record<
    (typeof IMPORT_OUTCOMES)[number],
    z.ZodInt
  >,
);

/** The error codes of these families; the family is the part before the dot. */
function codesOf(...families: readonly string[]): ErrorCode[] {
  return errorCodes.filter((code) => families.includes(code.replace(/\..*/, '')));
}

/** Body of a last-contact request. Without `date` it means today in Berlin. */
export const lastContactSchema = z.strictObject({
  date: calendarDate.optional(),
  correct: z
    .boolean()
    .optional()
    .describe(
      'Corrects a wrong date: stores `date` even if it is earlier. Requires the role admin and `date`',
    ),
});

/** Bodies of requests. */
export const requestSchemas = {
  NewPatient: newPatientSchema,
  PatientPatch: patchSchema,
  NewContact: lastContactSchema,
} as const;

/** A valid body for each request schema, as an example in the contract. */
export const requestExamples = {
  NewPatient: examplePatient,
  PatientPatch: { zahlung_eingegangen: true, ausgeschlossene_therapeuten: [7] },
  NewContact: { date: '2026-03-01' },
} as const satisfies Record<keyof typeof requestSchemas, object>;

const consentSchema = z.object({
  consent_metadata: z.looseObject({}).describe("The website's block, unchanged"),
  registration_timestamp: z.string().nullable().describe('As the website wrote it'),
  stored_at: timestamp,
});

const communicationEntry = z.object({
  event_id: z.uuid(),
  event_type: z.string(),
  occurred_at: timestamp,
  reference_id: z.string(),
  data: z.looseObject({}).describe('The payload of the event, as received'),
});

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Bodies of responses. */
export const answerSchemas = {
  Patient: patientSchema,
  PatientPage: z.object({
    data: z.array(patientSchema),
    page: z.int().min(1),
    limit,
    total: z
      .int()
      .min(0)
      .nullable()
      .describe('Exact up to 10000, null above; also null while a search has not seen all candidates'),
    next_page_token: nextPageToken,
  }),
  LastContact: z.object({ letzter_kontakt: calendarDate }),
  CommunicationPage: z.object({
    data: z.array(communicationEntry),
    limit,
    next_page_token: nextPageToken,
  }),
  Consent: consentSchema,
  PatientExport: z.object({
    patient_id: patientId,
    exported_at: timestamp,
    patient: patientSchema,
    consent: consentSchema.nullable(),
    payment_reference: z.string().nullable(),
    registration_token_sha256: z.array(sha256),
    imports: z.array(
      z.object({
        record_id: z.string(),
        outcome: z.enum(IMPORT_OUTCOMES),
        reason: z.enum(codesOf('import')).nullable(),
        violations: z.array(violation),
        archive_path: z.string().nullable().describe('Name of the file in the import bucket'),
        archived_at: timestamp.nullable(),
        received_at: timestamp,
        uploaded_at: timestamp,
        person_keys: z.array(sha256).describe('Keyed hashes that connect a failed file to its person'),
      }),
    ),
    idempotency_keys: z.array(z.object({ key_sha256: sha256, body_sha256: sha256, expires_at: timestamp })),
    confirmation_mails_sent: z.array(timestamp).describe('To the address, in the last 24 hours'),
    waiting_mails: z.array(z.object({ body: z.looseObject({}), created_at: timestamp })),
    waiting_events: z.array(z.looseObject({})).describe('Envelopes that are not published yet'),
    copies: z
      .array(z.object({ place: z.string(), days: z.int().min(1) }))
      .describe('Other places that may hold data of the person, and for how many days'),
    communication: z.array(communicationEntry).describe('Newest first'),
  }),
  ImportStatus: z.object({
    total: counters,
    last_24_hours: counters,
    last_imports: z.array(
      z.object({
        record_id: z.string(),
        outcome: z.enum(IMPORT_OUTCOMES),
        patient_id: patientId.nullable(),
        reason: z.enum(codesOf('import')).nullable(),
        received_at: timestamp,
        archived_at: timestamp.nullable(),
      }),
    ),
  }),
  Liveness: z.object({ status: z.literal('ok') }),
  Contract: z.looseObject({ openapi: z.string() }),
  Problem: z.object({
    type: z.enum(codesOf('request', 'auth', 'patient', 'store', 'storage', 'internal').map(problemTypeOf)),
    title: z.string(),
    status: z.int().min(400).max(599),
    message: z.string(),
    errors: z.array(violation),
  }),
} as const;

export type RequestSchemaName = keyof typeof requestSchemas;
export type SchemaName = RequestSchemaName | keyof typeof answerSchemas;
