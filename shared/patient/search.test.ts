import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aPatient } from '../../test/support/builders.ts';
import { fold, gramsOf, gramsOfTerm, matches } from './search.ts';
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
  ])('%s becomes %s', (text, folded) => {
    expect(fold(text)).toBe(folded);
  });

  it('twice is once, and forgets case and form', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(fold(fold(text))).toBe(fold(text));
        expect(fold(text.normalize('NFD'))).toBe(fold(text.normalize('NFC')));
      }),
    );
  });
});

describe('the index', () => {
  it('has every gram of every part of a name, so that no hit is missed', () => {
    fc.assert(
      fc.property(aName, fc.nat(), fc.integer({ min: 1, max: 12 }), (name, from, length) => {
        const patient = aPatient({ nachname: name });
        const characters = Array.from(patient.nachname);
        const start = from % characters.length;
        const part = characters.slice(start, start + length).join('');
        expect(matches(patient, part)).toBe(true);
        const grams = gramsOf(patient);
        expect(gramsOfTerm(part).filter((gram) => !grams.includes(gram))).toEqual([]);
      }),
    );
  });

  it('decides alone for a term as short as a gram', () => {
    fc.assert(
      fc.property(aName, aName, (name, text) => {
        const term = Array.from(fold(text)).slice(0, 3).join('');
        const patient = aPatient({ vorname: 'x', nachname: name });
        expect(gramsOf(patient).includes(term)).toBe(matches(patient, term));
      }),
    );
  });
});
