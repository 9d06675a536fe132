/**
 * The closed vocabularies of the contract (docs/domain.md#vocabularies): exact and case-sensitive. A new symptom goes
 * here.
 */

/** The status of a patient. */
export const PATIENTENSTATUS = [
  'offen',
  'auf_der_Suche',
  'in_Therapie',
  'Therapie_abgeschlossen',
  'Suche_abgebrochen',
  'Therapie_abgebrochen',
] as const;

/** Salutations. */
export const ANREDE = ['Herr', 'Frau'] as const;

/** Genders. */
export const GESCHLECHT = ['männlich', 'weiblich', 'divers', 'keine_Angabe'] as const;

/** Preferred genders of the therapist. */
export const THERAPEUTGESCHLECHTSPRAEFERENZ = ['Männlich', 'Weiblich', 'Egal'] as const;

/** Methods of therapy. */
export const THERAPIEVERFAHREN = [
  'egal',
  'Verhaltenstherapie',
  'tiefenpsychologisch_fundierte_Psychotherapie',
] as const;

/** Means of transport. */
export const VERKEHRSMITTEL = ['Auto', 'ÖPNV'] as const;

/** Weekdays, from Monday. */
export const WOCHENTAGE = [
  'montag',
  'dienstag',
  'mittwoch',
  'donnerstag',
  'freitag',
  'samstag',
  'sonntag',
] as const;

/** The 30 symptoms of the registration form. */
export const SYMPTOME = [
  'Depression / Niedergeschlagenheit',
  'Ängste / Panikattacken',
  'Burnout / Erschöpfung',
  'Schlafstörungen',
  'Stress / Überforderung',
  'Trauer / Verlust',
  'Reizbarkeit / Wutausbrüche',
  'Stimmungsschwankungen',
  'Innere Leere',
  'Einsamkeit',
  'Sorgen / Grübeln',
  'Selbstzweifel',
  'Konzentrationsprobleme',
  'Negative Gedanken',
  'Entscheidungsschwierigkeiten',
  'Psychosomatische Beschwerden',
  'Chronische Schmerzen',
  'Essstörungen',
  'Suchtprobleme (Alkohol/Drogen)',
  'Sexuelle Probleme',
  'Beziehungsprobleme',
  'Familienkonflikte',
  'Sozialer Rückzug',
  'Mobbing',
  'Trennungsschmerz',
  'Traumatische Erlebnisse',
  'Zwänge',
  'Selbstverletzung',
  'Suizidgedanken',
  'Identitätskrise',
] as const;
