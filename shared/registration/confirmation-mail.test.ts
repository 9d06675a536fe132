import { describe, expect, it } from 'vitest';
import { aPatient } from '../../test/support/builders.ts';
import { confirmationMail, type MailSettings } from './confirmation-mail.ts';

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

function mailTo(fields: Record<string, unknown>) {
  const patient = aPatient({ email: 'lena@example.org', zahlungsreferenz: '9c1f04ab', ...fields });
  return confirmationMail(patient, settings, 'cause');
}

function textTo(fields: Record<string, unknown>): string {
  return String(mailTo(fields)?.body['inhalt_markdown']);
}

describe('the confirmation mail', () => {
  it('says what to pay, to whom and for what', () => {
    const text = textTo({});
    for (const part of ['95,00 €', 'Muster GmbH', 'DE89 3704 0044 0532 0130 00', 'COBADEFFXXX', '9c1f04ab']) {
      expect(text).toContain(part);
    }
  });

  it('names help in an emergency and says that it is no treatment offer', () => {
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

  it('asks the lower price of a patient who is open to group therapy', () => {
    expect(textTo({ offen_fuer_gruppentherapie: true })).toContain('45,00 €');
  });

  it.each([
    ['Frau', 'Sehr geehrte Frau Beispiel,'],
    ['Herr', 'Sehr geehrter Herr Beispiel,'],
  ])('addresses %s', (anrede, salutation) => {
    expect(textTo({ anrede })).toMatch(new RegExp(`^${salutation}`));
  });

  it('shows a name as text, whatever is in it', () => {
    expect(textTo({ nachname: '<b>[x](http://evil.example)\n# Y' })).toMatch(
      /^Sehr geehrte Frau &lt;b&gt;\\\[x\\\]\\\(http:\/\/evil\.example\\\) \\# Y,/,
    );
  });

  it('keeps the receiver name on one line', () => {
    expect(mailTo({ vorname: 'Lena\r\nBcc: x@example.org' })?.body['empfaenger_name']).toBe(
      'Lena Bcc: x@example.org Beispiel',
    );
  });

  it('is not written without an address', () => {
    expect(mailTo({ email: null })).toBeUndefined();
  });
});
