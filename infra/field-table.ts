/**
 * The table of patient fields in docs/domain.md, made from the schema: `npm run fields` writes it between the markers,
 * and a test fails when it is out of date. Only the meanings are written here: the schema has German names and no texts.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { registerPatient } from '../shared/patient/change.ts';
import {
  AUTO_FIELDS,
  FIELD_NAMES,
  newPatientSchema,
  patientId,
  patientSchema,
  registrationPatientSchema,
  type FieldName,
} from '../shared/patient/schema.ts';
import { systemClock } from '../shared/platform/system-clock.ts';

const PAGE = new URL('../docs/domain.md', import.meta.url);
const BLOCK = /(<!-- fields -->\n)[^]*(\n<!-- \/fields -->)/;

const meanings: Record<FieldName, string> = {
  id: 'number of the patient; never given twice',
  anrede: 'salutation',
  geschlecht: 'gender',
  vorname: 'first name',
  nachname: 'last name',
  strasse: 'street and house number',
  plz: 'postal code; a string, because leading zeros count',
  ort: 'town',
  email: 'e-mail address; several patients may share one',
  telefon: 'phone number',
  hausarzt: 'family doctor',
  krankenkasse: 'health insurer',
  krankenversicherungsnummer: 'health insurance number',
  geburtsdatum: 'date of birth; not in the future',
  symptome: '[symptoms](#vocabularies), no value twice',
  erfahrung_mit_psychotherapie: 'has been in psychotherapy before',
  letzte_sitzung_vorherige_psychotherapie: 'last session of that earlier therapy; not in the future',
  vertraege_unterschrieben: 'the contracts are signed; a registration file sets it to true',
  startdatum: '[start of the search](#start-of-the-search); set once',
  erster_therapieplatz_am: 'date of the first place in therapy',
  funktionierender_therapieplatz_am: 'date of the place in therapy that lasted',
  status: '[where the patient stands](#status); the service changes it too',
  empfehler_der_unterstuetzung: 'who recommended this service',
  zahlungsreferenz: 'purpose of the payment; case-sensitive, and no two patients share one (409)',
  zahlung_eingegangen: 'the payment has arrived',
  zeitliche_verfuegbarkeit:
    'when the patient has time: weekday to time slots, at most 24 a day, each starts before it ends',
  raeumliche_verfuegbarkeit: 'how far the patient travels, in km',
  verkehrsmittel: 'means of transport: car, or public transport',
  offen_fuer_gruppentherapie: 'would accept group therapy; also selects the price',
  offen_fuer_diga: 'would use a digital health application',
  letzter_kontakt: '[last contact](#last-contact)',
  ausgeschlossene_therapeuten: '[excluded therapists](#excluded-therapists)',
  zugewiesener_therapeut: 'id of the therapist who treats, or is about to treat, the patient',
  bevorzugtes_therapeutengeschlecht: 'preferred gender of the therapist; Egal: does not matter',
  bevorzugtes_therapieverfahren: 'preferred method of therapy; egal: does not matter',
  created_at: 'when the patient was registered',
  updated_at: 'when a public field last changed; never goes back',
};

export function fieldTable(): string {
  const { properties = {} } = z.toJSONSchema(patientSchema, { io: 'input' });
  const rows = FIELD_NAMES.map((name) =>
    [
      `\`${name}\``,
      typeOf(properties[name] as z.core.JSONSchema.JSONSchema),
      defaultOf(name),
      authorOf(name),
      name in registrationPatientSchema.shape ? 'yes' : '',
      meanings[name],
    ].join(' | '),
  );
  return [
    '| Field | Type | Default | Written by | In a file | Meaning |',
    '|---|---|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`),
  ].join('\n');
}

/** The page as it stands, and with the table of today. */
export async function updatedPage(): Promise<{ readonly now: string; readonly updated: string }> {
  const now = await readFile(PAGE, 'utf8');
  return {
    now,
    updated: now.replace(BLOCK, (_, open: string, close: string) => open + fieldTable() + close),
  };
}

/** A JSON Schema in a few words. */
function typeOf(schema: z.core.JSONSchema.JSONSchema): string {
  const branches = schema.anyOf?.filter(isSchema) ?? [];
  const nullable = branches.find(({ type }) => type !== 'null');
  if (nullable !== undefined) return `${typeOf(nullable)}, or null`;
  if (Array.isArray(schema.type)) return schema.type.join(', or ');
  if (schema.enum !== undefined && schema.enum.length <= 6)
    return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.format === 'date' || schema.format === 'date-time') return schema.format;
  if (schema.type === 'string') return [stringType(schema), lengthOf(schema)].filter(Boolean).join(', ');
  if (schema.type === 'integer') return `integer, ${schema.minimum} to ${schema.maximum}`;
  if (schema.type === 'array') {
    const range = [schema.minItems, schema.maxItems].filter((bound) => bound !== undefined).join(' to ');
    return range === '' ? 'array' : `array of ${range}`;
  }
  if (schema.properties !== undefined) return `object: ${objectType(schema.properties)}`;
  return schema.type ?? '';
}

function stringType({ format, pattern }: z.core.JSONSchema.JSONSchema): string {
  if (format === 'idn-email') return 'e-mail address';
  return pattern === undefined ? 'string' : `\`${pattern}\``;
}

function lengthOf({ minLength, maxLength }: z.core.JSONSchema.JSONSchema): string {
  if (maxLength === undefined) return '';
  return `${minLength === undefined ? 'at most' : `${minLength} to`} ${maxLength} characters`;
}

function objectType(properties: NonNullable<z.core.JSONSchema.JSONSchema['properties']>): string {
  const names = Object.keys(properties).map((name) => `\`${name}\``);
  return names.length > 3 ? `${names[0]} to ${names.at(-1)}` : names.join(', ');
}

function isSchema(branch: unknown): branch is z.core.JSONSchema.JSONSchema {
  return typeof branch === 'object' && branch !== null;
}

function authorOf(name: FieldName): string {
  return (AUTO_FIELDS as readonly FieldName[]).includes(name) ? 'service' : 'client';
}

/** What a patient has who was registered with the required fields alone. */
function defaultOf(name: FieldName): string {
  if (name in required) return 'required';
  if (name === 'id') return 'allocated';
  if (name === 'created_at' || name === 'updated_at') return 'now';
  return `\`${JSON.stringify(blank[name]).replaceAll('"', '')}\``;
}

const required = { anrede: 'Frau', geschlecht: 'weiblich', vorname: 'Lena', nachname: 'Beispiel' };
const blank = registerPatient(patientId.parse(1), newPatientSchema.parse(required), systemClock()).patient;

if (import.meta.main) await writeFile(PAGE, (await updatedPage()).updated);
