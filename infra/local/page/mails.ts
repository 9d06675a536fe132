/** The mails that the communication stand-in has accepted, read from its own journal. */
import type { StoredMail } from '../communication/mailbox.ts';
import { followLines, parseLine } from '../lines.ts';
import type { Mail } from './messages.ts';

export interface Mails {
  readonly count: number;
  /** The number of mails that repeat an earlier one to the same patient with the same subject. */
  readonly doubled: number;
  /** Newest first. */
  of(patientId: number): Mail[];
}

export function followMails(file: string, signal: AbortSignal, onMail: () => void): Mails {
  const byPatient = new Map<number, Mail[]>();
  let count = 0;
  let doubled = 0;
  const add = ({ kind, id, received_at, body }: StoredMail): void => {
    count += 1;
    const patientId = body['patient_id'];
    if (kind === 'email' && typeof patientId === 'number') {
      const mails = byPatient.get(patientId) ?? [];
      byPatient.set(patientId, mails);
      const subject = String(body['betreff']);
      if (mails.some((mail) => mail.subject === subject)) doubled += 1;
      mails.unshift({
        id,
        receivedAt: received_at,
        to: String(body['empfaenger_email']),
        subject,
        text: String(body['inhalt_markdown']),
      });
    }
    onMail();
  };
  void (async () => {
    for await (const text of followLines(file, { signal })) {
      const line = parseLine(text) as { mail?: StoredMail } | undefined;
      if (line?.mail !== undefined) add(line.mail);
    }
  })();
  return {
    get count() {
      return count;
    },
    get doubled() {
      return doubled;
    },
    of: (patientId) => byPatient.get(patientId) ?? [],
  };
}
