import { fc } from '../../test/support/properties.ts';
import { describe, expect, it } from 'vitest';
import { expectCheapNormalising } from '../../test/support/normalised.ts';
import { hasLetter, isBlank, name, text, trimmed } from './text.ts';

const MIB = 2 ** 20;
const line = text(100);

describe('a one-line text', () => {
  it.each([
    [' Musterweg 4\t', 'Musterweg 4'],
    ['\u00a0Köln\u2003\u200b\ufeff', 'Köln'],
    ['Lena\r\n', 'Lena'],
    ['Zoe\u0308', 'Zoë'],
    ['𝒳'.repeat(100), '𝒳'.repeat(100)],
    ['ᾂ'.normalize('NFD').repeat(100), 'ᾂ'.repeat(100)],
    [` ${' '.repeat(MIB)}x${' '.repeat(MIB)}`, 'x'],
    ['\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645', '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645'],
    ['', ''],
  ])('%j is kept as %j', (written, kept) => {
    expect(line.parse(written)).toBe(kept);
  });

  it.each([
    ...['a\nb', 'a\rb', 'a\tb', '\0', 'a\u007fb', 'a\u0085b', 'a\u2028b', 'a\u2029b', 'a\u001bb'].map(
      (value) => [value, 'control characters'],
    ),
    ...Array.from('\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069').map((value) => [
      value,
      'writing direction',
    ]),
    ['\ud800', 'surrogate'],
    ['a\udc00b', 'surrogate'],
    ['x'.repeat(101), 'at most 100'],
    ['a' + '\u0301'.repeat(31), 'combining marks'],
  ])('%j is refused for its %s', (written, reason) => {
    const { error } = line.safeParse(written);
    expect(error?.issues.map((issue) => issue.message)).toEqual([expect.stringContaining(reason)]);
  });

  it('does not change when it is read again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (written) => {
        const once = line.safeParse(written);
        if (once.success) expect(line.parse(once.data)).toBe(once.data);
      }),
    );
  });

  it.each([
    ['marks of two classes', 'a' + '\u0301'.repeat(MIB / 2) + '\u0323'.repeat(MIB / 2)],
    ['blanks within', `a${' '.repeat(MIB)}b`],
    ['invisible blanks', '\u200b'.repeat(MIB) + 'a'],
    ['letters', 'ä'.repeat(MIB)],
    ['surrogates', '\ud800'.repeat(MIB)],
  ])('of 1 MiB of %s is not normalised', async (_, written) => {
    await expectCheapNormalising(() => {
      for (const schema of [text(100), text(2000), name(100)]) schema.safeParse(written);
    });
  });

  it.each([30, 31])('with runs of %i marks is normalised only if they are short', async (marks) => {
    const half = Math.floor(marks / 2);
    const written = ('a' + '\u0301'.repeat(half) + '\u0323'.repeat(marks - half)).repeat(60);
    const read = await expectCheapNormalising(() => text(2000).safeParse(written));
    expect(read.success).toBe(marks === 30);
  });
});

describe('a name', () => {
  it.each(['Lena', ' Ö ', 'O’Neill', '李', 'X Æ A-12'])('may be %j', (written) => {
    expect(name(100).safeParse(written).success).toBe(true);
  });

  it.each(['', ' \t', '\u200b', '\u3164', '\u00ad', '-', '123', '\u0301', '😀', '\u2800'])(
    'is not %j, which holds no letter',
    (written) => {
      expect(name(100).safeParse(written).error?.issues).toHaveLength(1);
    },
  );
});

describe('the visible part of a text', () => {
  it('excludes blanks at both ends, and is empty for a text of blanks only', () => {
    expect(trimmed('\u2003a b\u200b\n')).toBe('a b');
    expect(['', ' ', '\u00a0\u200b', '\u2060\u180e'].every(isBlank)).toBe(true);
    expect(isBlank('.')).toBe(false);
  });

  it('counts as having a letter, whatever else it holds', () => {
    expect([hasLetter('1a'), hasLetter('12'), hasLetter('\u200b')]).toEqual([true, false, false]);
  });
});
