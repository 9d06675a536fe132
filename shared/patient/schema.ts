/**
 * Derives from the field table (fields.ts) the patient's type and the schemas of stored, answered and published patients,
 * of request bodies and of registration files. change.ts defines what a change does to a patient.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { FieldRow } from './field-row.ts';
import { fields } from './fields.ts';

export {
  patientId,
  paymentReference,
  therapistId,
  type PatientId,
  type PaymentReference,
  type TherapistId,
} from './values.ts';

type Fields = typeof fields;
/** The name of a patient field. */
export type FieldName = keyof Fields;

type NamesWhere<Property extends keyof FieldRow, Value> = {
  [K in FieldName]: Fields[K][Property] extends Value ? K : never;
}[FieldName];

type ClientField = NamesWhere<'writer', 'client'>;
type RequiredField = NamesWhere<'initially', 'required'>;
type FieldWithDefault = NamesWhere<'initially', { readonly default: unknown }>;

const rows: Readonly<Record<FieldName, FieldRow>> = fields;

/** In the order of the contract. */
export const FIELD_NAMES = Object.keys(fields) as readonly FieldName[];

/** A patient's public fields as stored, answered and published. */
export const patientSchema = z.strictObject(
  valuesOf(FIELD_NAMES, ({ schema }) => schema) as { [K in FieldName]: Fields[K]['schema'] },
);
/** A patient's public fields, read through {@link patientSchema}. */
export type Patient = z.output<typeof patientSchema>;

/** Fields that only the service writes. A body that names one is refused. */
export const SERVICE_FIELDS: ReadonlySet<string> = new Set(namesWhere(({ writer }) => writer === 'service'));

/** Dates of past events: not after today in Berlin. */
export const PAST_DATES = namesWhere(({ isPast }) => isPast);

/** Fields in which a blank string means null: all nullable ones. */
export const BLANK_IS_NULL: ReadonlySet<string> = new Set(
  namesWhere(({ schema }) => schema.safeParse(null).success),
);

const clientFields = namesWhere(({ writer }) => writer === 'client');
type Written = { [K in ClientField]: Fields[K]['written']['inChange'] };

/** The body of PATCH and PUT: any of the fields that a client may write. */
export const patchSchema = z
  .strictObject(valuesOf(clientFields, ({ written }) => written.inChange) as Written)
  .partial();
/** Fields that a change sets. */
export type PatientPatch = z.output<typeof patchSchema>;

/** A new patient: the required fields, and any others that a client may write. */
export const newPatientSchema = z
  .strictObject(valuesOf(clientFields, ({ written }) => written.inNew) as Written)
  .partial()
  .required(maskOf(({ initially }) => initially === 'required') as Record<RequiredField, true>);
/** A client's fields of a new patient. */
export type NewPatient = z.output<typeof newPatientSchema>;

type NotInFile = Extract<NamesWhere<'inFile', 'never'>, ClientField>;
type MustBeInFile = NamesWhere<'inFile', 'must'>;

/**
 * The patient fields of a registration file: those that staff or a payment decide are refused
 * (docs/domain.md#registration-files).
 */
export const registrationPatientSchema = newPatientSchema
  .omit(maskOf(({ writer, inFile }) => writer === 'client' && inFile === 'never') as Record<NotInFile, true>)
  .extend(
    valuesOf(
      namesWhere(({ inFile }) => inFile === 'must'),
      ({ written }) => z.nonoptional(notNull(written.inNew).optional()),
    ) as unknown as { [K in MustBeInFile]: z.ZodType<NonNullable<z.output<Written[K]>>> },
  );

const defaults: Readonly<Partial<Record<FieldName, unknown>>> = Object.fromEntries(
  FIELD_NAMES.flatMap((name) => {
    const { initially } = rows[name];
    return typeof initially === 'string' ? [] : [[name, Object.freeze(initially.default)]];
  }),
);

/**
 * Returns a patient with every field, in the order of the contract: databases do not keep the order of keys, and a stored
 * document lacks the fields added after it. A missing field gets its default.
 */
export function wholePatient(
  known: Pick<Patient, Exclude<FieldName, FieldWithDefault>> & Partial<Pick<Patient, FieldWithDefault>>,
): Patient {
  const values: Readonly<Partial<Record<FieldName, unknown>>> = known;
  return Object.fromEntries(
    FIELD_NAMES.map((name) => [name, values[name] === undefined ? defaults[name] : values[name]]),
  ) as Patient;
}

/** Names of the public fields that differ, `updated_at` aside. */
export function changedFields(before: Patient, after: Patient): FieldName[] {
  return FIELD_NAMES.filter((name) => name !== 'updated_at' && !isDeepStrictEqual(before[name], after[name]));
}

function namesWhere(holds: (row: FieldRow) => boolean): readonly FieldName[] {
  return FIELD_NAMES.filter((name) => holds(rows[name]));
}

function valuesOf<T>(names: readonly FieldName[], valueOf: (row: FieldRow) => T): Record<string, T> {
  return Object.fromEntries(names.map((name) => [name, valueOf(rows[name])]));
}

function maskOf(holds: (row: FieldRow) => boolean): Record<string, true> {
  return Object.fromEntries(namesWhere(holds).map((name) => [name, true]));
}

function notNull(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodNullable ? (schema.unwrap() as z.ZodType) : schema;
}
