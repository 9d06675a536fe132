/**
 * The mail that confirms a registration to the patient, in German. From the file it takes only a name that looks like a
 * name, and the hexadecimal payment reference. So a stranger cannot put a message for the receiver into it.
 */
import { friendlyFormatIBAN } from 'ibantools';
import { asciiAddress } from '../patient/contact.ts';
import type { Patient } from '../patient/schema.ts';
import type { Config } from '../platform/config.ts';
import type { Mail } from '../patient/consequences.ts';
import { mailName } from './mail-name.ts';

/** The variables that the mails need. */
export const mailVariables = [
  'PAYMENT_ACCOUNT_HOLDER',
  'PAYMENT_IBAN',
  'PAYMENT_BIC',
  'PRICE_INDIVIDUAL_EUR',
  'PRICE_GROUP_EUR',
  'MAIL_SENDER_ADDRESS',
  'MAIL_SENDER_NAME',
  'CONTRACT_URL',
  'CONTACT_ADDRESS',
] as const;

/** The parsed {@link mailVariables}. */
export type MailSettings = Config<(typeof mailVariables)[number]>;

/** Help at any hour: the emergency number and the crisis line. */
const NOTRUF = '112';
const TELEFONSEELSORGE = '0800 111 0 111 oder 116 123';

/** The mail to `address`. The communication service sends it once per `idempotencyKey`. */
export function confirmationMail(
  patient: Patient,
  address: string,
  settings: MailSettings,
  idempotencyKey: string,
): Mail {
  return {
    path: '/api/emails',
    idempotencyKey,
    body: {
      patient_id: patient.id,
      betreff: 'Ihre Anmeldung zur Therapieplatzsuche ist eingegangen',
      inhalt_markdown: text(patient, settings),
      empfaenger_email: asciiAddress(address),
      empfaenger_name: receiverName(patient),
      absender_email: settings.MAIL_SENDER_ADDRESS,
      absender_name: settings.MAIL_SENDER_NAME,
      add_legal_footer: true,
      status: 'In_Warteschlange',
    },
  };
}

function text(patient: Patient, settings: MailSettings): string {
  const price = patient.offen_fuer_gruppentherapie ? settings.PRICE_GROUP_EUR : settings.PRICE_INDIVIDUAL_EUR;
  return `${salutation(patient)},

Ihre Anmeldung ist bei uns eingegangen. Vielen Dank für Ihr Vertrauen.

Damit wir mit der Suche nach einem Therapieplatz beginnen können, überweisen Sie bitte den folgenden Betrag:

- **Betrag:** ${price.replace('.', ',')} €
- **Kontoinhaber:** ${settings.PAYMENT_ACCOUNT_HOLDER}
- **IBAN:** ${friendlyFormatIBAN(settings.PAYMENT_IBAN) ?? settings.PAYMENT_IBAN}
- **BIC:** ${settings.PAYMENT_BIC}
- **Verwendungszweck:** ${patient.zahlungsreferenz ?? ''}

Innerhalb von 24 Stunden nach Eingang Ihrer Zahlung beginnt die Suche.

Ihren Vertrag finden Sie hier: ${settings.CONTRACT_URL}

Bitte beachten Sie: Dies ist kein Behandlungsangebot. In einem Notfall wählen Sie bitte die ${NOTRUF}; die Telefonseelsorge erreichen Sie zu jeder Zeit kostenlos unter ${TELEFONSEELSORGE}.

Bei Fragen schreiben Sie uns an ${settings.CONTACT_ADDRESS}.

Mit freundlichen Grüßen
${settings.MAIL_SENDER_NAME}
`;
}

function salutation({ anrede, vorname, nachname }: Patient): string {
  const name = mailName(nachname);
  // If one of the two does not look like a name, do not trust the other.
  if (name === undefined || mailName(vorname) === undefined) return 'Guten Tag';
  return `${anrede === 'Frau' ? 'Sehr geehrte Frau' : 'Sehr geehrter Herr'} ${name}`;
}

/** Empty when there is no name. Only the surname when both names together are longer than 60 characters. */
function receiverName({ vorname, nachname }: Patient): string {
  const [first, last] = [mailName(vorname), mailName(nachname)];
  if (first === undefined || last === undefined) return '';
  return mailName(`${first} ${last}`) ?? last;
}
