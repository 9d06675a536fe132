/**
 * Search by parts of names and e-mail addresses without a scan. Text is folded to what people type and cut into grams of
 * two and three characters, which form the index; each hit is verified on the folded text. A single character has no gram:
 * most patients contain it, so reading the list finds it quickly. After a change of {@link fold} the stored index is out
 * of date until `ops search rebuild` has run.
 */
import type { FieldName, Patient } from './schema.ts';

/** The searched fields. After a change, run `ops search rebuild`. */
export const SEARCHED_FIELDS = ['vorname', 'nachname', 'email'] as const satisfies readonly FieldName[];
type Searched = Pick<Patient, (typeof SEARCHED_FIELDS)[number]>;

const GRAM_LENGTHS = [2, 3] as const;

const APOSTROPHES = /['`´‘’‛ʹʻʼʽʾʿˈ′‵＇]/g;
const HYPHENS = /[-‐‑‒–—−－]/g;

/** Letters that Unicode does not decompose, with the spelling of people who lack them on the keyboard. */
const PLAIN: Readonly<Record<string, string>> = {
  ß: 'ss',
  ſ: 's',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ɵ: 'o',
  ɔ: 'o',
  ł: 'l',
  ƚ: 'l',
  đ: 'd',
  ð: 'd',
  ɖ: 'd',
  ɗ: 'd',
  þ: 'th',
  ħ: 'h',
  ı: 'i',
  ɨ: 'i',
  ŋ: 'n',
  ɲ: 'n',
  ŧ: 't',
  ĸ: 'k',
  ƙ: 'k',
  ƀ: 'b',
  ɓ: 'b',
  ƒ: 'f',
  ǥ: 'g',
  ə: 'e',
  ǝ: 'e',
  ɛ: 'e',
  ʉ: 'u',
  ƴ: 'y',
  ƶ: 'z',
};
const UNDECOMPOSED = new RegExp(`[${Object.keys(PLAIN).join('')}]`, 'g');

/** Lower case without accents and invisible characters, with one apostrophe, one hyphen and plain letters. */
export function fold(text: string): string {
  return text
    .normalize('NFD')
    .replaceAll(/[\p{M}\p{Default_Ignorable_Code_Point}]/gu, '')
    .toLowerCase()
    .replaceAll(UNDECOMPOSED, (letter) => PLAIN[letter] ?? letter)
    .replaceAll(APOSTROPHES, "'")
    .replaceAll(HYPHENS, '-')
    .normalize('NFC');
}

/** The folded words of a search, each of which must be found; none for a blank one. */
export function wordsOf(search: string): string[] {
  return [...new Set(fold(search).split(/\s+/))].filter((word) => word !== '');
}

/** Every run of two or three characters in the words of the searched fields: what the index of a patient holds. */
export function gramsOf(patient: Searched): string[] {
  const words = searched(patient).flatMap(wordsOf);
  return [...new Set(words.flatMap((word) => GRAM_LENGTHS.flatMap((length) => runs(word, length))))];
}

/** The longest grams of a search's words; every matching patient has all of them. A single character gives none. */
export function gramsOfWords(words: readonly string[]): string[] {
  return [
    ...new Set(
      words.flatMap((word) => {
        const length = GRAM_LENGTHS.findLast((one) => one <= Array.from(word).length);
        return length === undefined ? [] : runs(word, length);
      }),
    ),
  ];
}

/** True when each word is a part of one of the searched fields. */
export function matches(patient: Searched, words: readonly string[]): boolean {
  const fields = searched(patient).map(fold);
  return words.every((word) => fields.some((field) => field.includes(word)));
}

function searched(patient: Searched): string[] {
  return SEARCHED_FIELDS.map((name) => patient[name] ?? '');
}

function runs(text: string, length: number): string[] {
  const characters = Array.from(text);
  return characters
    .slice(0, Math.max(0, characters.length - length + 1))
    .map((_, at) => characters.slice(at, at + length).join(''));
}
