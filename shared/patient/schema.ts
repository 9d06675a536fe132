/**
 * The patient: 37 public fields in the order of the contract (docs/domain.md#patient-fields), as one schema from
 * which the types, the validation and the API documents are made. What a change does to a patient is in change.ts.
 */
import { z } from 'zod';
import { emailAddress, phoneNumber } from './contact.ts';
import {
  calendarDate,
  int32Id,
  name,
  personal,
  postalCode,
  text,
  timeSlot,
  timestamp,
  trimmed,
} from './text.ts';
import {
  ANREDE,
  GESCHLECHT,
  PATIENTENSTATUS,
  SYMPTOME,
  THERAPEUTGESCHLECHTSPRAEFERENZ,
  THERAPIEVERFAHREN,
  VERKEHRSMITTEL,
  WOCHENTAGE,
} from './vocabulary.ts';

export const patientId = int32Id.brand<'PatientId'>().describe('Identifies the patient; never used again');
export type PatientId = z.output<typeof patientId>;

export const therapistId = int32Id.brand<'TherapistId'>().describe('Identifies a therapist');
export type TherapistId = z.output<typeof therapistId>;

export const paymentReference = z
  .string()
  .overwrite(trimmed)
  .regex(/^[A-Za-z0-9_-]{1,8}$/, 'must have 1 to 8 characters of A-Z, a-z, 0-9, _ and -')
  .brand<'PaymentReference'>();
export type PaymentReference = z.output<typeof paymentReference>;

const MAX_EXCLUSIONS = 1000;

/** Each therapist that a change adds is an event of its own, in the same commit. */
export const MAX_EXCLUSIONS_ADDED = 100;
export const TOO_MANY_EXCLUSIONS_ADDED = `must add at most ${MAX_EXCLUSIONS_ADDED} therapists at once`;

/** A therapist who is out of the question for a patient, as stored and answered. */
const exclusion = z.strictObject({
  id: therapistId,
  excluded_at: timestamp,
  reason: text(500).optional(),
});
export type Exclusion = z.output<typeof exclusion>;

/** An exclusion as a client may write it: the id alone, or an object whose missing parts stay as they are. */
const exclusionInput = z.union(
  [
    therapistId,
    z.strictObject({ id: therapistId, excluded_at: timestamp.optional(), reason: text(500).nullish() }),
  ],
  'must be a therapist id or {id, excluded_at?, reason?}',
);
export type ExclusionInput = z.output<typeof exclusionInput>;

function therapistOf(entry: ExclusionInput): TherapistId {
  return typeof entry === 'number' ? entry : entry.id;
}

const symptome = z
  .array(z.enum(SYMPTOME, 'must be one of the 30 symptoms'))
  .min(1, 'must name at least one symptom')
  .max(6, 'must name at most six symptoms')
  .refine((values) => new Set(values).size === values.length, 'must not name a symptom twice')
  .meta({ uniqueItems: true });

const wochentag = z.array(timeSlot).max(24, 'must have at most 24 time slots').optional();
const zeitlicheVerfuegbarkeit = z.strictObject(
  Object.fromEntries(WOCHENTAGE.map((tag) => [tag, wochentag])) as Record<
    (typeof WOCHENTAGE)[number],
    typeof wochentag
  >,
);

const raeumlicheVerfuegbarkeit = z.strictObject({
  max_km: z.int('must be an integer').min(1, 'must be from 1 to 500').max(500, 'must be from 1 to 500'),
});

/** The fields of the contract in its order; a nullable one is null until somebody writes it. */
const fields = {
  id: patientId,
  anrede: z.enum(ANREDE),
  geschlecht: z.enum(GESCHLECHT),
  vorname: personal(name(100)),
  nachname: personal(name(100)),
  strasse: personal(text(255)).nullable(),
  plz: personal(postalCode).nullable(),
  ort: personal(text(100)).nullable(),
  email: personal(emailAddress).nullable(),
  telefon: personal(phoneNumber).nullable(),
  hausarzt: personal(text(255)).nullable(),
  krankenkasse: personal(text(100)).nullable(),
  krankenversicherungsnummer: personal(text(50)).nullable(),
  geburtsdatum: personal(calendarDate).nullable(),
  symptome: personal(symptome).nullable(),
  erfahrung_mit_psychotherapie: z.boolean().nullable(),
  letzte_sitzung_vorherige_psychotherapie: calendarDate.nullable(),
  vertraege_unterschrieben: z.boolean(),
  startdatum: calendarDate.nullable(),
  erster_therapieplatz_am: calendarDate.nullable(),
  funktionierender_therapieplatz_am: calendarDate.nullable(),
  status: z.enum(PATIENTENSTATUS),
  empfehler_der_unterstuetzung: personal(text(2000)).nullable(),
  zahlungsreferenz: paymentReference.nullable(),
  zahlung_eingegangen: z.boolean(),
  zeitliche_verfuegbarkeit: zeitlicheVerfuegbarkeit.nullable(),
  raeumliche_verfuegbarkeit: raeumlicheVerfuegbarkeit.nullable(),
  verkehrsmittel: z.enum(VERKEHRSMITTEL).nullable(),
  offen_fuer_gruppentherapie: z.boolean(),
  offen_fuer_diga: z.boolean(),
  letzter_kontakt: calendarDate.nullable(),
  ausgeschlossene_therapeuten: z.array(exclusion),
  zugewiesener_therapeut: therapistId.nullable(),
  bevorzugtes_therapeutengeschlecht: z.enum(THERAPEUTGESCHLECHTSPRAEFERENZ),
  bevorzugtes_therapieverfahren: z.enum(THERAPIEVERFAHREN),
  created_at: timestamp,
  updated_at: timestamp,
} as const;

export const patientSchema = z.strictObject(fields);
export type Patient = z.output<typeof patientSchema>;
export type FieldName = keyof Patient;

export const FIELD_NAMES = Object.keys(fields) as readonly FieldName[];

/** Written by the service alone. A body that names one is refused. */
export const AUTO_FIELDS = ['id', 'startdatum', 'letzter_kontakt', 'created_at', 'updated_at'] as const;
const auto = {
  id: true,
  startdatum: true,
  letzter_kontakt: true,
  created_at: true,
  updated_at: true,
} as const;

/** Dates of things that have happened: not after today in Berlin. */
export const PAST_DATES = ['geburtsdatum', 'letzte_sitzung_vorherige_psychotherapie'] as const;

const exclusionInputs = z
  .array(exclusionInput)
  .max(MAX_EXCLUSIONS, { error: `must have at most ${MAX_EXCLUSIONS} items`, abort: true });

const writable = patientSchema.omit(auto).extend({ ausgeschlossene_therapeuten: exclusionInputs });

/** Any fields a client may write, each by its rule: the body of PATCH and PUT. */
export const patchSchema = writable.partial();
export type PatientPatch = z.output<typeof patchSchema>;

/** A new patient: anrede, geschlecht, vorname and nachname, and whatever else is known. */
export const newPatientSchema = writable
  .extend({
    ausgeschlossene_therapeuten: exclusionInputs.refine(
      (entries) => new Set(entries.map(therapistOf)).size <= MAX_EXCLUSIONS_ADDED,
      TOO_MANY_EXCLUSIONS_ADDED,
    ),
  })
  .partial()
  .required({ anrede: true, geschlecht: true, vorname: true, nachname: true });
export type NewPatient = z.output<typeof newPatientSchema>;

/**
 * What a registration file may hold of a patient: nothing that staff or a payment decide
 * (docs/domain.md#registration-files).
 */
export const registrationPatientSchema = newPatientSchema
  .omit({ status: true, zahlung_eingegangen: true, zahlungsreferenz: true })
  .required({ symptome: true })
  .extend({ symptome: fields.symptome.unwrap() });

/** Fields in which a blank string means null: all that may be null. */
export const BLANK_IS_NULL: ReadonlySet<string> = new Set(
  FIELD_NAMES.filter((name) => fields[name].safeParse(null).success),
);

/** The same patient with its fields in the contract's order: databases forget the order of keys. */
export function inContractOrder(patient: Patient): Patient {
  return Object.fromEntries(FIELD_NAMES.map((name) => [name, patient[name]])) as Patient;
}
