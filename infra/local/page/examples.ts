/** Registrations of invented people for the page's drop zone: valid ones, and ones that each break a different rule. */
import { randomBytes, randomInt } from 'node:crypto';
import { ANREDE, SYMPTOME } from '../../../shared/patient/vocabulary.ts';

export interface ExampleFile {
  readonly name: string;
  readonly content: string;
}

const firstNames = {
  Frau: ['Lena', 'Ayşe', 'Marie', 'Zoë', 'Ingrid', 'Fatima', 'Käthe', 'Nina'],
  Herr: ['Jörg', 'Emil', 'Mehmet', 'Łukasz', 'Anton', 'René', 'Björn', 'Karl'],
} as const;
const lastNames = ['Beispiel', 'Muster', 'Fußweg', 'Probe', 'Wanderlied', 'Öztürk', 'Grünbaum', 'Vorlage'];
const towns = [
  ['50667', 'Köln'],
  ['10115', 'Berlin'],
  ['01067', 'Dresden'],
  ['80331', 'München'],
] as const;

/** A registration that the import accepts. Each has its own token, so each is a different person. */
export function goodExample(): ExampleFile {
  const registration = goodRegistration();
  return fileOf(registration, registration.patient_data.nachname);
}

/** A file that the import refuses; each call breaks the next rule. */
export function brokenExample(number: number): ExampleFile {
  const registration = goodRegistration();
  const data = registration.patient_data;
  const faults = [
    () => fileOf({ ...registration, patient_data: { ...data, plz: '5066', symptome: [] } }, 'postal-code'),
    () => ({ name: `not-json-${suffix()}.json`, content: '{ "patient_data": ' }),
    () => fileOf({ ...registration, registration_token: undefined }, 'no-token'),
    () => fileOf({ ...registration, patient_data: { ...data, lieblingsfarbe: 'blau' } }, 'unknown-field'),
    () =>
      fileOf(
        { ...registration, patient_data: { ...data, geburtsdatum: '2999-01-01', anrede: 'Doktor' } },
        'born-tomorrow',
      ),
    () => ({ name: `photo-${suffix()}.png`, content: 'not a registration' }),
  ];
  return (faults[number % faults.length] ?? goodExample)();
}

function goodRegistration() {
  const anrede = pick(ANREDE);
  const [plz, ort] = pick(towns);
  const vorname = pick(firstNames[anrede]);
  const nachname = pick(lastNames);
  const now = new Date().toISOString();
  return {
    patient_data: {
      anrede,
      geschlecht: anrede === 'Frau' ? 'weiblich' : 'männlich',
      vorname,
      nachname,
      strasse: `Musterweg ${randomInt(1, 99)}`,
      plz,
      ort,
      email: `${asciiOf(vorname)}.${suffix()}@example.org`,
      telefon: '+49 221 000000',
      geburtsdatum: `${randomInt(1950, 2004)}-04-02`,
      krankenkasse: 'Testkasse',
      symptome: [pick(SYMPTOME.slice(0, 5)), pick(SYMPTOME.slice(5, 10))],
      erfahrung_mit_psychotherapie: false,
      verkehrsmittel: 'ÖPNV',
      offen_fuer_gruppentherapie: randomInt(2) === 1,
      zeitliche_verfuegbarkeit: { montag: ['08:00-12:00'], freitag: ['14:00-18:00'] },
      raeumliche_verfuegbarkeit: { max_km: 20 },
    },
    consent_metadata: { ip_address: '198.51.100.7', user_agent: 'invented', timestamp_utc: now },
    registration_timestamp: now.slice(0, 19).replace('T', ' '),
    registration_token: randomBytes(16).toString('hex'),
  };
}

function fileOf(registration: object, stem: string): ExampleFile {
  return { name: `${asciiOf(stem)}-${suffix()}.json`, content: JSON.stringify(registration, undefined, 2) };
}

function pick<T>(values: readonly [T, ...T[]] | readonly T[]): T {
  return values[randomInt(values.length)] as T;
}

function suffix(): string {
  return randomBytes(3).toString('hex');
}

function asciiOf(text: string): string {
  return text
    .replaceAll('ß', 'ss')
    .normalize('NFD')
    .replaceAll(/[^a-zA-Z-]/g, '')
    .toLowerCase();
}
