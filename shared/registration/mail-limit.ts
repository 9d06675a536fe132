/**
 * Which mails a registration causes: the confirmation, or, once its address has had enough for a day, a message to
 * staff instead. The count of an address goes on by one beyond the limit: that one is the message to staff.
 */
import type { Patient } from '../patient/schema.ts';
import type { Firestore } from '@google-cloud/firestore';
import type { Instant } from '../platform/clock.ts';
import { counterOf, emptyCount, readCount, STAFF_NOTICES, type MailCount } from '../store/mail-counts.ts';
import type { RecordId } from '../store/imports.ts';
import type { Mail } from '../store/outbox.ts';
import { confirmationMail, type MailSettings } from './confirmation-mail.ts';

/** To one address in 24 hours. */
const MAX_CONFIRMATIONS = 3;
/** To staff in 24 hours, so that somebody who registers thousands of addresses cannot flood them too. */
const MAX_NOTICES = 10;

export interface CountedMails {
  readonly mails: readonly Mail[];
  /** What the mails must be added to, in the same write. */
  readonly counts: readonly MailCount[];
  /** True where the registration's own mail stays unsent. */
  readonly withheld: boolean;
}

/** The mails of a registration whose address has had none today, as nearly all: found without a read. */
export function firstMails(patient: Patient, recordId: RecordId, settings: MailSettings): CountedMails {
  if (patient.email === null) return { mails: [], counts: [], withheld: false };
  const mail = confirmationMail(patient, patient.email, settings, recordId);
  return { mails: [mail], counts: [emptyCount(counterOf(patient.email))], withheld: false };
}

/** The mails of a registration, by what its address has had. @throws ServiceError `store.unavailable` */
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
