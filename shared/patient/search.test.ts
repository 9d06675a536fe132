import { fc } from '../../test/support/properties.ts';
import { describe, expect, it } from 'vitest';
import { aPatient } from '../../test/support/builders.ts';
import { fold, gramsOf, gramsOfWords, matches, wordsOf } from './search.ts';
import { hasLetter } from './text.ts';

const aName = fc
  .string({ unit: fc.constantFrom(...Array.from('aäAßsSéñØ ij𝒳%_-')), minLength: 1, maxLength: 12 })
  .filter(hasLetter);

describe('folding', () => {
  it.each([
    ['ÄÖÜ', 'aou'],
    ['Groß', 'gross'],
    ['GROẞ', 'gross'],
    ['Zoë', 'zoe'],
    ['Zoe\u0308', 'zoe'],
    ['100%_x', '100%_x'],
    ['Łukasz', 'lukasz'],
    ['ŁØĐÆŒÐÞĦŊß', 'lodaeoedthhnss'],
    ['Işık', 'isik'],
    ['İpek', 'ipek'],
    ['Ǿ', 'o'],
    ["O'Neill", "o'neill"],
    ['O’Neill', "o'neill"],
    ['OʼNeill', "o'neill"],
    ['O‘Neill', "o'neill"],
    ['O´Neill', "o'neill"],
    ['O`Neill', "o'neill"],
    ['Anna\u2011Lena', 'anna-lena'],
    ['An\u00adna\u200b', 'anna'],
  ])('%s becomes %s', (text, folded) => {
    expect(fold(text)).toBe(folded);
  });

  it('is idempotent, and ignores case and Unicode form', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(fold(fold(text))).toBe(fold(text));
        expect(fold(text.normalize('NFD'))).toBe(fold(text.normalize('NFC')));
      }),
    );
  });
});

describe('the words of a search', () => {
  const eva = aPatient({ vorname: 'Eva', nachname: 'Probe', email: 'e.p@example.org' });
  const found = (search: string) => matches(eva, wordsOf(search));

  it.each(['eva probe', 'probe eva', ' eva\u00a0\tprobe ', 'EVA example', 'ev ob', 'eva eva'])(
    'must each be found, in any order: %j',
    (search) => expect(found(search)).toBe(true),
  );

  it.each(['eva muster', 'evaprobe', 'probe z'])('are not all found: %j', (search) =>
    expect(found(search)).toBe(false),
  );

  it.each(['', ' ', '\u00a0\t', '\u200b', '\u0301'])('are none in %j', (search) =>
    expect(wordsOf(search)).toEqual([]),
  );
});

describe('the index', () => {
  it('holds every gram of every part of a name, so that no hit is missed', () => {
    fc.assert(
      fc.property(aName, fc.nat(), fc.integer({ min: 1, max: 12 }), (name, from, length) => {
        const patient = aPatient({ nachname: name });
        const characters = Array.from(patient.nachname);
        const start = from % characters.length;
        const words = wordsOf(characters.slice(start, start + length).join(''));
        expect(matches(patient, words)).toBe(true);
        const grams = gramsOf(patient);
        expect(gramsOfWords(words).filter((gram) => !grams.includes(gram))).toEqual([]);
      }),
    );
  });

  it('holds no gram of a single character, and queries none', () => {
    expect(gramsOf(aPatient({ vorname: 'Bo', nachname: 'O' }))).toEqual(['bo']);
    expect(gramsOfWords(['o', 'bo', 'bob', 'bobo'])).toEqual(['bo', 'bob', 'obo']);
  });

  it('finds exactly the matches for a term of one gram', () => {
    fc.assert(
      fc.property(aName, aName, (name, text) => {
        const [word = ''] = wordsOf(text);
        const term = Array.from(word).slice(0, 3).join('');
        fc.pre(gramsOfWords([term]).length > 0);
        const patient = aPatient({ vorname: 'x', nachname: name });
        expect(gramsOf(patient).includes(term)).toBe(matches(patient, [term]));
      }),
    );
  });
});
