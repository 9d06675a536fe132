/**
 * What identifies a person who has no id yet: any two of e-mail address, birth date and name. One alone does not: a family
 * shares an address, and strangers a birthday or a name. Pure.
 */
import { isRecord } from './read.ts';

/** Longer texts are not compared: no valid registration has them. */
const MAX_LENGTH = 320;

/** @returns each pair that a person's fields allow, as a text that is equal for the same person */
export function identifyingPairs(fields: unknown): string[] {
  if (!isRecord(fields)) return [];
  const email = normalised(fields['email']);
  const birth = normalised(fields['geburtsdatum']);
  const [vorname, nachname] = [normalised(fields['vorname']), normalised(fields['nachname'])];
  const name = vorname === '' || nachname === '' ? '' : `${vorname} ${nachname}`;
  return [
    ['email birth', email, birth],
    ['name birth', name, birth],
    ['email name', email, name],
  ]
    .filter(([, one, other]) => one !== '' && other !== '')
    .map((pair) => pair.join('\n'));
}

/** Removes differences that do not tell persons apart: case, composed or decomposed letters, blanks. */
function normalised(value: unknown): string {
  if (typeof value !== 'string' || value.length > MAX_LENGTH) return '';
  return value.normalize('NFC').trim().replaceAll(/\s+/g, ' ').toLowerCase();
}
