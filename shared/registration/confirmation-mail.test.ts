import { fc } from '../../test/support/properties.ts';
import { describe, expect, it } from 'vitest';
import { aPatient } from '../../test/support/builders.ts';
import { confirmationMail, type MailSettings } from './confirmation-mail.ts';
import { mailName } from './mail-name.ts';

const settings: MailSettings = {
  PAYMENT_ACCOUNT_HOLDER: 'Muster GmbH',
  PAYMENT_IBAN: 'DE89370400440532013000',
  PAYMENT_BIC: 'COBADEFFXXX',
  PRICE_INDIVIDUAL_EUR: '95.00',
  PRICE_GROUP_EUR: '45.00',
  MAIL_SENDER_ADDRESS: 'service@example.org',
  MAIL_SENDER_NAME: 'Platzsuche',
  CONTRACT_URL: 'https://example.org/vertrag',
  CONTACT_ADDRESS: 'hilfe@example.org',
};

const HOSTILE = [
  'Ihre IBAN hat sich geändert: DE89 3704 0044 0532 0130 00',
  'www.evil.example',
  'evil.de',
  'Frau.Muster.com',
  'J.R.',
  'x@evil.example',
  'https://evil.example',
  'mailto:x',
  '<b>[x](http://evil.example)\n# Y',
  'Lena\r\nBcc: x',
  'Anna\nLena',
  'a/b',
  '**wichtig**',
  '_x_',
  '0900 123456',
  '٠١٢٣٤٥٦٧٨٩',
  'evil．de',
  'evil。de',
  'wwwꓸevilꓸde',
  'evilꞏde',
  'httpsː evil de',
  'evilǃ',
  'evilㆍde',
  'ev\u200bil',
  'a\u202eb',
  '\u3164',
  "'",
  '&amp;',
  '😀',
  'x'.repeat(100_000),
];

function mailTo(fields: Record<string, unknown>) {
  // Bypasses the schema, which already refuses some of these texts.
  const patient = { ...aPatient({ zahlungsreferenz: '9c1f04ab' }), ...fields };
  return confirmationMail(patient, 'lena@example.org', settings, 'cause');
}

function textTo(fields: Record<string, unknown>): string {
  return String(mailTo(fields).body['inhalt_markdown']);
}

describe('the confirmation mail', () => {
  it('says what to pay, to whom and for what', () => {
    const text = textTo({});
    for (const part of ['95,00 €', 'Muster GmbH', 'DE89 3704 0044 0532 0130 00', 'COBADEFFXXX', '9c1f04ab']) {
      expect(text).toContain(part);
    }
  });

  it('names emergency numbers and says that it is not a treatment offer', () => {
    const text = textTo({});
    for (const part of [
      '112',
      '0800 111 0 111',
      '116 123',
      'kein Behandlungsangebot',
      'hilfe@example.org',
      'https://example.org/vertrag',
      '24 Stunden',
    ]) {
      expect(text).toContain(part);
    }
  });

  it.each([
    'Łucja',
    'O’Neill',
    'Kaʻiulani',
    'Ní Ḃríain',
    'Müller-Lüdenscheid',
    'ジョージ',
    '김철수',
    'نور',
    'Μαρία',
    'Ёлкина',
  ])('calls %s by name', (nachname) => expect(textTo({ nachname })).toContain(nachname));

  it('goes to the ASCII form of an international domain, which every mail system accepts', () => {
    const mail = confirmationMail(aPatient(), 'Lena@Bürger.example', settings, 'cause');
    expect(mail.body['empfaenger_email']).toBe('Lena@xn--brger-kva.example');
  });

  it('asks a patient who is open to group therapy for the lower price', () => {
    expect(textTo({ offen_fuer_gruppentherapie: true })).toContain('45,00 €');
  });

  it.each([
    ['Frau', 'Sehr geehrte Frau Beispiel,'],
    ['Herr', 'Sehr geehrter Herr Beispiel,'],
  ])('addresses %s', (anrede, salutation) => {
    expect(textTo({ anrede })).toMatch(new RegExp(`^${salutation}`));
  });

  it.each([
    "O'Neill",
    'O’Neill',
    'St. John',
    'von der Leyen-Müller',
    'Nguyễn Thị',
    'Muster jr.',
    "Dr. Anna-Lena O'Neill Jr.",
    'Şahin',
    '李',
  ])('uses a real name: %s', (nachname) => {
    expect(textTo({ nachname }).startsWith(`Sehr geehrte Frau ${nachname},\n`)).toBe(true);
    expect(mailTo({ nachname }).body['empfaenger_name']).toBe(`Lena ${nachname}`);
  });

  it.each(HOSTILE)('leaves out a text that is not a name: %j', (text) => {
    for (const fields of [{ nachname: text }, { vorname: text }]) {
      const { betreff, inhalt_markdown, empfaenger_name } = mailTo(fields).body;
      expect(inhalt_markdown).toMatch(/^Guten Tag,\n\nIhre Anmeldung ist/);
      expect(inhalt_markdown).toBe(textTo({ nachname: '1' }));
      expect(empfaenger_name).toBe('');
      expect(betreff).toBe(mailTo({}).body['betreff']);
    }
  });

  it('uses a name of at most 60 characters', () => {
    const [long, longer] = ['x'.repeat(60), 'x'.repeat(61)];
    expect(textTo({ nachname: long }).startsWith(`Sehr geehrte Frau ${long},`)).toBe(true);
    expect(mailTo({ nachname: long }).body['empfaenger_name']).toBe(long);
    expect(textTo({ nachname: longer })).toMatch(/^Guten Tag,/);
    expect(mailTo({ nachname: longer }).body['empfaenger_name']).toBe('');
  });

  it('leaves out a name that a mail program could turn into a link', () => {
    const character = fc.constantFrom(...Array.from("aöx李.'’`- @:/1_*[\u200b\u0308"));
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 70 }), (text) => {
        expect(mailName(text) ?? '').not.toMatch(/\.[^ ]|[@:/\d_*[`\u200b]/u);
      }),
    );
  });
});
