/**
 * The mails that the stand-in for the communication service has accepted. A mail is on disk before the answer, so that
 * an Idempotency-Key also works across a crash.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { appendLine, parseLine } from '../lines.ts';

export type MailKind = 'email' | 'system-message';

export interface StoredMail {
  readonly kind: MailKind;
  readonly id: number;
  readonly key: string | null;
  readonly received_at: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Id of the mail's `email.sent` event. */
  readonly eventId: string;
}

export interface Mailbox {
  /** Stores a mail; a repeated key returns the mail stored first under that key. */
  accept(
    kind: MailKind,
    key: string | undefined,
    body: StoredMail['body'],
  ): { mail: StoredMail; repeated: boolean };
  /** The latest `limit` mails of a kind, newest first. */
  latest(kind: MailKind, limit: number): StoredMail[];
  /** E-mails whose event has not been acknowledged by Kafka yet, oldest first. */
  unannounced(): StoredMail[];
  noteAnnounced(mail: StoredMail): void;
}

export function openMailbox(dataDir: string): Mailbox {
  mkdirSync(dataDir, { recursive: true });
  const file = join(dataDir, 'mails.jsonl');
  const mails: StoredMail[] = [];
  const byKey = new Map<string, StoredMail>();
  const announced = new Set<number>();

  const take = (mail: StoredMail) => {
    mails.push(mail);
    if (mail.key !== null) byKey.set(mail.kind + mail.key, mail);
  };
  for (const text of existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []) {
    const line = parseLine(text) as { mail: StoredMail } | { announced: number } | undefined;
    if (line === undefined) continue;
    if ('mail' in line) take(line.mail);
    else announced.add(line.announced);
  }

  return {
    accept(kind, key, body) {
      const known = key === undefined ? undefined : byKey.get(kind + key);
      if (known !== undefined) return { mail: known, repeated: true };
      const mail: StoredMail = {
        kind,
        id: mails.length + 1,
        key: key ?? null,
        received_at: new Date().toISOString(),
        body,
        eventId: randomUUID(),
      };
      appendLine(file, { mail });
      take(mail);
      return { mail, repeated: false };
    },
    latest: (kind, limit) =>
      mails
        .filter((mail) => mail.kind === kind)
        .slice(-limit)
        .reverse(),
    unannounced: () => mails.filter((mail) => mail.kind === 'email' && !announced.has(mail.id)),
    noteAnnounced(mail) {
      announced.add(mail.id);
      appendLine(file, { announced: mail.id });
    },
  };
}
