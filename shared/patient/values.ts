/** Schemas of field values other than plain texts, numbers and the closed vocabularies. */
import { z } from 'zod';
import { int32Id, text, timeSlot, timestamp, trimmed } from './text.ts';
import { SYMPTOME, WOCHENTAGE } from './vocabulary.ts';

/** A positive integer of 32 bits. */
export const patientId = int32Id.brand<'PatientId'>().describe('Identifies the patient; never used again');
/** A {@link patientId} that was checked. */
export type PatientId = z.output<typeof patientId>;

/** A positive integer of 32 bits. */
export const therapistId = int32Id.brand<'TherapistId'>().describe('Identifies a therapist');
/** A {@link therapistId} that was checked. */
export type TherapistId = z.output<typeof therapistId>;

/** The purpose of a payment: 1 to 8 characters. Upper and lower case differ. */
export const paymentReference = z
  .string()
  .overwrite(trimmed)
  .regex(/^[A-Za-z0-9_-]{1,8}$/, 'must have 1 to 8 characters of A-Z, a-z, 0-9, _ and -')
  .brand<'PaymentReference'>();
/** A {@link paymentReference} that was checked. */
export type PaymentReference = z.output<typeof paymentReference>;

const MAX_EXCLUSIONS = 1000;

/** Each therapist that a change adds causes its own event in the same commit. */
export const MAX_EXCLUSIONS_ADDED = 100;
/** The violation when a change adds too many. */
export const TOO_MANY_EXCLUSIONS_ADDED = `must add at most ${MAX_EXCLUSIONS_ADDED} therapists at once`;

/** A therapist whom a patient excludes, as stored and answered. */
export const exclusion = z.strictObject({
  id: therapistId,
  excluded_at: timestamp,
  reason: text(500).optional(),
});
/** An {@link exclusion} that was checked. */
export type Exclusion = z.output<typeof exclusion>;

/** An exclusion as a client may write it: the id alone, or an object whose missing parts stay as they are. */
const exclusionInput = z.union(
  [
    therapistId,
    z.strictObject({ id: therapistId, excluded_at: timestamp.optional(), reason: text(500).nullish() }),
  ],
  'must be a therapist id or {id, excluded_at?, reason?}',
);
/** One entry of a list that a client writes. */
export type ExclusionInput = z.output<typeof exclusionInput>;

/** A list of exclusions as a client may write it. */
export const exclusionInputs = z
  .array(exclusionInput)
  .max(MAX_EXCLUSIONS, { error: `must have at most ${MAX_EXCLUSIONS} items`, abort: true });

/** The list of a new patient: it counts completely as added at once. */
export const firstExclusionInputs = exclusionInputs.refine(
  (entries) => new Set(entries.map(therapistOf)).size <= MAX_EXCLUSIONS_ADDED,
  TOO_MANY_EXCLUSIONS_ADDED,
);

function therapistOf(entry: ExclusionInput): TherapistId {
  return typeof entry === 'number' ? entry : entry.id;
}

/** One to six different symptoms of the vocabulary. */
export const symptome = z
  .array(z.enum(SYMPTOME, 'must be one of the 30 symptoms'))
  .min(1, 'must name at least one symptom')
  .max(6, 'must name at most six symptoms')
  .refine((values) => new Set(values).size === values.length, 'must not name a symptom twice')
  .meta({ uniqueItems: true });

const wochentag = z.array(timeSlot).max(24, 'must have at most 24 time slots').optional();
/** Time slots by weekday, at most 24 a day. Weekdays without slots may be absent. */
export const zeitlicheVerfuegbarkeit = z.strictObject(
  Object.fromEntries(WOCHENTAGE.map((tag) => [tag, wochentag])) as Record<
    (typeof WOCHENTAGE)[number],
    typeof wochentag
  >,
);

/** How far the patient travels: 1 to 500 km. */
export const raeumlicheVerfuegbarkeit = z.strictObject({
  max_km: z.int('must be an integer').min(1, 'must be from 1 to 500').max(500, 'must be from 1 to 500'),
});
