/**
 * The table of patient fields, in the order of the contract (docs/domain.md#patient-fields), one row per field. Types,
 * rules for bodies and registration files, defaults, the API and event documents and the table in the docs are derived
 * from it. A row added after the first version needs `since`.
 */
import { z } from 'zod';
import { emailAddress, phoneNumber } from './contact.ts';
import { byService, nullable, required, withDefault } from './field-row.ts';
import { calendarDate, name, personal, postalCode, text, timestamp } from './text.ts';
import {
  exclusion,
  exclusionInputs,
  firstExclusionInputs,
  patientId,
  paymentReference,
  raeumlicheVerfuegbarkeit,
  symptome,
  therapistId,
  zeitlicheVerfuegbarkeit,
} from './values.ts';
import {
  ANREDE,
  GESCHLECHT,
  PATIENTENSTATUS,
  THERAPEUTGESCHLECHTSPRAEFERENZ,
  THERAPIEVERFAHREN,
  VERKEHRSMITTEL,
} from './vocabulary.ts';

/** The rows by name. */
export const fields = {
  id: byService(patientId, { initially: 'allocated', meaning: 'number of the patient; never given twice' }),
  anrede: required(z.enum(ANREDE), { meaning: 'salutation' }),
  geschlecht: required(z.enum(GESCHLECHT), { meaning: 'gender' }),
  vorname: required(personal(name(100)), { meaning: 'first name; holds at least one letter' }),
  nachname: required(personal(name(100)), { meaning: 'last name; holds at least one letter' }),
  strasse: nullable(personal(text(255)), { meaning: 'street and house number' }),
  plz: nullable(personal(postalCode), { meaning: 'postal code; a string, because leading zeros count' }),
  ort: nullable(personal(text(100)), { meaning: 'town' }),
  email: nullable(personal(emailAddress), { meaning: 'e-mail address; several patients may share one' }),
  telefon: nullable(personal(phoneNumber), { meaning: 'phone number' }),
  hausarzt: nullable(personal(text(255)), { meaning: 'family doctor' }),
  krankenkasse: nullable(personal(text(100)), { meaning: 'health insurer' }),
  krankenversicherungsnummer: nullable(personal(text(50)), { meaning: 'health insurance number' }),
  geburtsdatum: nullable(personal(calendarDate), {
    isPast: true,
    meaning: 'date of birth; not in the future',
  }),
  symptome: nullable(personal(symptome), {
    inFile: 'must',
    meaning: '[symptoms](#vocabularies), no value twice',
  }),
  erfahrung_mit_psychotherapie: nullable(z.boolean(), { meaning: 'has been in psychotherapy before' }),
  letzte_sitzung_vorherige_psychotherapie: nullable(calendarDate, {
    isPast: true,
    meaning: 'last session of that earlier therapy; not in the future',
  }),
  vertraege_unterschrieben: withDefault(z.boolean(), {
    default: false,
    meaning: 'the contracts are signed; a registration file sets it to true',
  }),
  startdatum: byService(calendarDate.nullable(), {
    initially: { default: null },
    meaning: '[start of the search](#start-of-the-search); set once',
  }),
  erster_therapieplatz_am: nullable(calendarDate, { meaning: 'date of the first place in therapy' }),
  funktionierender_therapieplatz_am: nullable(calendarDate, {
    meaning: 'date of the place in therapy that lasted',
  }),
  status: withDefault(z.enum(PATIENTENSTATUS), {
    default: 'offen',
    inFile: 'never',
    meaning: '[where the patient stands](#status); the service changes it too',
  }),
  empfehler_der_unterstuetzung: nullable(personal(text(2000)), { meaning: 'who recommended this service' }),
  zahlungsreferenz: nullable(paymentReference, {
    inFile: 'never',
    meaning: 'purpose of the payment; case-sensitive, and no two patients share one (409)',
  }),
  zahlung_eingegangen: withDefault(z.boolean(), {
    default: false,
    inFile: 'never',
    meaning: 'the payment has arrived',
  }),
  zeitliche_verfuegbarkeit: nullable(zeitlicheVerfuegbarkeit, {
    meaning: 'when the patient has time: weekday to time slots, at most 24 a day, each starts before it ends',
  }),
  raeumliche_verfuegbarkeit: nullable(raeumlicheVerfuegbarkeit, {
    meaning: 'how far the patient travels, in km',
  }),
  verkehrsmittel: nullable(z.enum(VERKEHRSMITTEL), {
    meaning: 'means of transport: car, or public transport',
  }),
  offen_fuer_gruppentherapie: withDefault(z.boolean(), {
    default: false,
    meaning: 'would accept group therapy; also selects the price',
  }),
  offen_fuer_diga: withDefault(z.boolean(), {
    default: false,
    meaning: 'would use a digital health application',
  }),
  letzter_kontakt: byService(calendarDate.nullable(), {
    initially: { default: null },
    meaning: '[last contact](#last-contact)',
  }),
  ausgeschlossene_therapeuten: withDefault(
    z.array(exclusion),
    { default: [], meaning: '[excluded therapists](#excluded-therapists)' },
    { inChange: exclusionInputs, inNew: firstExclusionInputs },
  ),
  zugewiesener_therapeut: nullable(therapistId, {
    meaning: 'id of the therapist who treats, or is about to treat, the patient',
  }),
  bevorzugtes_therapeutengeschlecht: withDefault(z.enum(THERAPEUTGESCHLECHTSPRAEFERENZ), {
    default: 'Egal',
    meaning: 'preferred gender of the therapist; Egal: does not matter',
  }),
  bevorzugtes_therapieverfahren: withDefault(z.enum(THERAPIEVERFAHREN), {
    default: 'egal',
    meaning: 'preferred method of therapy; egal: does not matter',
  }),
  created_at: byService(timestamp, { initially: 'now', meaning: 'when the patient was registered' }),
  updated_at: byService(timestamp, {
    initially: 'now',
    meaning: 'when a public field last changed; never goes back',
  }),
} as const;
