import { fc } from '../../test/support/properties.ts';
import { describe, expect, it } from 'vitest';
import { emailAddress, phoneNumber } from './contact.ts';

describe('an e-mail address', () => {
  it.each([
    'lena@example.org',
    "Lena.O'Neill+x@Example.ORG",
    'info@müller.de',
    'info@straße.de',
    'info@xn--mller-kva.de',
    'info@日本.jp',
    'a@b-c.museum',
    'x@почта.рф',
  ])('%s is kept as written', (written) => {
    expect(emailAddress.parse(` ${written}\u00a0\n`)).toBe(written);
  });

  it('is stored in composed form (NFC)', () => {
    expect(emailAddress.parse('info@mu\u0308ller.de')).toBe('info@müller.de');
  });

  it.each([
    'lena',
    '@example.org',
    'lena@',
    'lena@example',
    'lena@@example.org',
    'a@b@example.org',
    '.lena@example.org',
    'le..na@example.org',
    'lena.@example.org',
    'le na@example.org',
    'lena@exa mple.org',
    'lena@-example.org',
    'lena@example-.org',
    'lena@example..org',
    'lena@.org',
    'lena@example.org.',
    'lena@127.0.0.1',
    'lena@[::1]',
    'lena@example.org:25',
    'lena@ex%61mple.org',
    'lena@example.org/x',
    'lena@example.org?x',
    'lena@example.org\r\nBcc: x@example.org',
    'Lena <lena@example.org>',
    'lena@example.org, x@example.org',
    'lena@müller.d',
    `${'x'.repeat(65)}@example.org`,
    `x@${'y'.repeat(64)}.org`,
    `x@${'y.'.repeat(126)}org`,
    'lena@exam\u200bple.org\u202e',
  ])('%j is none', (written) => {
    expect(emailAddress.safeParse(written).error?.issues).toHaveLength(1);
  });
});

describe('a phone number', () => {
  it.each([
    ['0221 / 47 11 00', '+49221471100'],
    ['(0221) 471100', '+49221471100'],
    ['+49 (0) 221 / 471100', '+49221471100'],
    ['+49 (221) 471100', '+49221471100'],
    ['0049 221 471100', '+49221471100'],
    ['0221 4711-00', '+49221471100'],
    ['0221\u00a04711\u201300', '+49221471100'],
    ['0171-1234567', '+491711234567'],
    ['0800 1110111', '+498001110111'],
    ['+43 1 588580', '+431588580'],
    [' +49 221 000000 ', '+49221000000'],
  ])('%s is %s', (written, kept) => {
    expect(phoneNumber.parse(written)).toBe(kept);
  });

  it.each([
    '030 12345 ext. 5',
    '030 12345 x5',
    '030 12345;ext=5',
    '030 12345 #5',
    '030 12345 DW 67',
    '0171 1234567 (Mutter)',
    '0171 1234567 oder 030 123456',
    '0171 1234567 / 030 123456',
    '0171 1234567, 030 123456',
    '0171 1234567 030 123456',
    '030 123456 (67)',
    '07031 123 / 124',
    '030/12345/67',
    '0800-FLOWERS',
    '112',
    '116 123',
    '471100',
    '49 221 471100',
    '030 12345678901234',
    'ab 18 Uhr: 030 123456',
    'tel:+49301234567',
    '++49 30 123456',
  ])('%s stays as written', (written) => {
    expect(phoneNumber.parse(written)).toBe(written);
  });

  it('keeps every digit and adds only those of the country code', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from('0123456789+ /()-.x,')), maxLength: 20 }),
        (written) => {
          const reading = phoneNumber.safeParse(written);
          if (!reading.success || reading.data === written.trim()) return;
          const digits = written.replaceAll(/\D/g, '');
          const national = reading.data.slice(1).replace(/^49/, '');
          expect(digits.endsWith(national)).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it.each(['keins', '12', ''])('%j is none', (written) => {
    expect(phoneNumber.safeParse(written).success).toBe(false);
  });
});
