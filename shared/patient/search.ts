/**
 * Search by a part of a name or an e-mail address without a scan: text is folded (case, accents, ß) and cut
 * into grams of one to three characters, which are the index; a hit is verified on the folded text.
 */
import type { Patient } from './schema.ts';

/** Lower case without accents, ß as ss (DOMAIN 5). */
export function fold(text: string): string {
  return text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase().replaceAll('ß', 'ss').normalize('NFC');
}

/** Every run of one to three characters in the searched fields: what the index of a patient holds. */
export function gramsOf(patient: Pick<Patient, 'vorname' | 'nachname' | 'email'>): string[] {
  const grams = searched(patient).flatMap((field) => [1, 2, 3].flatMap((length) => runs(field, length)));
  return [...new Set(grams)];
}

/** The longest grams of a term: a patient that matches has every one of them. Empty for an empty term. */
export function gramsOfTerm(term: string): string[] {
  const folded = fold(term);
  return [...new Set(runs(folded, Math.min(3, Array.from(folded).length)))];
}

export function matches(patient: Pick<Patient, 'vorname' | 'nachname' | 'email'>, term: string): boolean {
  const folded = fold(term);
  return searched(patient).some((field) => field.includes(folded));
}

function searched(patient: Pick<Patient, 'vorname' | 'nachname' | 'email'>): string[] {
  return [patient.vorname, patient.nachname, patient.email ?? ''].map(fold);
}

function runs(text: string, length: number): string[] {
  if (length === 0) return [];
  const characters = Array.from(text);
  return characters
    .slice(0, characters.length - length + 1)
    .map((_, at) => characters.slice(at, at + length).join(''));
}
