/**
 * Decides which mails a registration causes: the confirmation or, once its address has reached the daily limit, one
 * message to staff. The count of an address goes one beyond the limit; the extra one is the message to staff.
 */
import type { Patient } from '../patient/schema.ts';
import type { Firestore } from '@google-cloud/firestore';
import type { Instant } from '../platform/clock.ts';
import { counterOf, emptyCount, readCount, STAFF_NOTICES, type MailCount } from '../store/mail-counts.ts';
import type { RecordId } from '../store/imports.ts';
import type { Mail } from '../patient/consequences.ts';
import { confirmationMail, type MailSettings } from './confirmation-mail.ts';

/** Confirmations to one address in 24 hours. */
const MAX_CONFIRMATIONS = 3;
/** Messages to staff in 24 hours, so that somebody who registers thousands of addresses cannot flood them. */
const MAX_NOTICES = 10;

/** The mails of one registration, and the counts that they raise. */
export interface CountedMails {
  readonly mails: readonly Mail[];
  /** The counts to raise in the same write. */
  readonly counts: readonly MailCount[];
  /** Whether the limit holds back the confirmation. */
  readonly withheld: boolean;
}

/** The mails when the address has had none today, which is true for nearly all. Needs no read. */
export function firstMails(patient: Patient, recordId: RecordId, settings: MailSettings): CountedMails {
  if (patient.email === null) return { mails: [], counts: [], withheld: false };
  const mail = confirmationMail(patient, patient.email, settings, recordId);
  return { mails: [mail], counts: [emptyCount(counterOf(patient.email))], withheld: false };
}

/** The mails after reading how many the address has had in 24 hours. @throws ServiceError `store.unavailable` */
export async function mailsWithinLimit(
  db: Firestore,
  patient: Patient,
  recordId: RecordId,
  settings: MailSettings,
  now: Instant,
): Promise<CountedMails> {
  if (patient.email === null) return firstMails(patient, recordId, settings);
  const address = await readCount(db, counterOf(patient.email), now);
  if (address.sent.length < MAX_CONFIRMATIONS) {
    const mail = confirmationMail(patient, patient.email, settings, recordId);
    return { mails: [mail], counts: [address], withheld: false };
  }
  const silent: CountedMails = { mails: [], counts: [], withheld: true };
  if (address.sent.length > MAX_CONFIRMATIONS) return silent;
  const notices = await readCount(db, STAFF_NOTICES, now);
  if (notices.sent.length >= MAX_NOTICES) return silent;
  const isLast = notices.sent.length === MAX_NOTICES - 1;
  const notice = limitNotice(patient.id, recordId, isLast, settings);
  return { mails: [notice], counts: [address, notices], withheld: true };
}

function limitNotice(
  patientId: number,
  recordId: RecordId,
  isLast: boolean,
  settings: Pick<MailSettings, 'MAIL_SENDER_NAME'>,
): Mail {
  const last = `

Dies ist die letzte Meldung dieser Art für 24 Stunden, auch wenn es weitere Fälle gibt.`;
  return {
    path: '/api/system-messages',
    idempotencyKey: `limit-${recordId}`,
    body: {
      subject: 'Eine Bestätigungsmail wurde nicht verschickt',
      message: `Patient: ${patientId}
Import: ${recordId}

An die angegebene Adresse gingen in den letzten 24 Stunden schon ${MAX_CONFIRMATIONS} Bestätigungsmails. Die Registrierung ist gespeichert, die Mail wurde zurückgehalten. Bitte prüfen Sie, ob die Registrierung echt ist, und melden Sie sich gegebenenfalls selbst. Weitere Registrierungen mit dieser Adresse werden in dieser Zeit ohne Meldung gespeichert.${isLast ? last : ''}`,
      sender_name: settings.MAIL_SENDER_NAME,
    },
  };
}
