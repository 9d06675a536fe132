import { describe, expect, it } from 'vitest';
import { identifyingPairs } from './identity.ts';

const lena = { email: 'lena@example.org', geburtsdatum: '1991-04-02', vorname: 'Lena', nachname: 'Müller' };
const meet = (one: object, other: object) => {
  const known = new Set(identifyingPairs(one));
  return identifyingPairs(other).some((pair) => known.has(pair));
};

describe('a person is recognised', () => {
  it.each([
    ['by address and birth date', { email: lena.email, geburtsdatum: lena.geburtsdatum }],
    ['by name and birth date, without an address', { ...lena, email: null }],
    ['by name and birth date, with a mistyped address', { ...lena, email: 'lena@exmaple' }],
    ['by address and name, without a birth date', { ...lena, geburtsdatum: undefined }],
    ['in capitals, with blanks around', { ...lena, email: ' LENA@Example.org ', geburtsdatum: null }],
    ['with a decomposed letter', { ...lena, email: null, nachname: 'Mu\u0308ller' }],
  ])('%s', (_, fields) => {
    expect(meet(lena, fields)).toBe(true);
  });

  it.each([
    [
      'by the address alone, which a family shares',
      { email: lena.email, geburtsdatum: '2015-01-01', vorname: 'Tom', nachname: 'Müller' },
    ],
    ['by the birth date alone', { geburtsdatum: lena.geburtsdatum, vorname: 'Eva', nachname: 'Probe' }],
    ['by the name alone', { vorname: 'Lena', nachname: 'Müller', geburtsdatum: '1970-01-01' }],
    ['by parts that run into one another', { ...lena, email: null, vorname: 'Le', nachname: 'na Müller' }],
    ['by an empty object', {}],
    ['by values that are not text', { email: 7, geburtsdatum: ['1991-04-02'], vorname: {}, nachname: true }],
  ])('not %s', (_, fields) => {
    expect(meet(lena, fields)).toBe(false);
  });

  it.each([null, 'text', [1], undefined])('finds no pair in %j', (fields) => {
    expect(identifyingPairs(fields)).toEqual([]);
  });
});
