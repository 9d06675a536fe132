/**
 * Counts the mails of one kind in the last 24 hours, so that a stranger cannot make the service write to an address
 * without limit. A count is part of the write that causes the mail. Its id is a hash, so it reveals no address, and the
 * document expires within a day or two.
 */
import { createHash } from 'node:crypto';
import { domainToASCII } from 'node:url';
import {
  Timestamp,
  type CollectionReference,
  type DocumentReference,
  type Firestore,
} from '@google-cloud/firestore';
import type { Instant } from '../platform/clock.ts';
import { translated } from './firestore.ts';
import type { GroupWriter } from './group-commit.ts';

const WINDOW_MS = 24 * 3600 * 1000;

declare const counterId: unique symbol;

/** Names the counter of one mailbox. */
export type CounterId = string & { readonly [counterId]: true };

/** Counter of the messages to staff about mails that were held back. */
export const STAFF_NOTICES = 'staff_notices' as CounterId;

/**
 * The counter of a mailbox. Case, a `+tag` and the spelling of an international domain make no difference; dots do,
 * since most providers distinguish `a.b@` from `ab@`.
 */
export function counterOf(address: string): CounterId {
  const at = address.lastIndexOf('@');
  const mailbox = address.slice(0, at).normalize('NFC').toLowerCase();
  const domain = address.slice(at + 1);
  const tagless = mailbox.replace(/(?<=.)\+.*$/, '');
  const canonical = `${tagless}@${domainToASCII(domain) || domain.toLowerCase()}`;
  return createHash('sha256').update(canonical).digest('hex') as CounterId;
}

/** The content of a counter when it was read. */
export interface MailCount {
  readonly id: CounterId;
  /** Times of the mails within the last 24 hours, in milliseconds since the epoch. */
  readonly sent: readonly number[];
  /** Undefined where there is no document. */
  readonly updateTime: Timestamp | undefined;
}

/** The count of a mailbox without mails. Assumed without a read: if it is wrong, the write fails. */
export function emptyCount(id: CounterId): MailCount {
  return { id, sent: [], updateTime: undefined };
}

/** @throws ServiceError `store.unavailable` */
export async function readCount(db: Firestore, id: CounterId, now: Instant): Promise<MailCount> {
  const snapshot = await translated(() => countDoc(db, id).get());
  const since = now.epochMilliseconds - WINDOW_MS;
  const sent = ((snapshot.get('sent') ?? []) as number[]).filter((at) => at > since);
  return { id, sent, updateTime: snapshot.updateTime };
}

/** Counts one more mail. The whole write fails if the counter has changed since it was read. */
export function addCount(db: Firestore, batch: GroupWriter, count: MailCount, now: Instant): void {
  const { id, sent, updateTime } = count;
  const document = {
    sent: [...sent, now.epochMilliseconds],
    expires_at: Timestamp.fromMillis(now.epochMilliseconds + WINDOW_MS),
  };
  if (updateTime === undefined) batch.create(countDoc(db, id), document);
  else batch.update(countDoc(db, id), document, { lastUpdateTime: updateTime });
}

/** The collection `mail_counts`. */
export function mailCountDocs(db: Firestore): CollectionReference {
  return db.collection('mail_counts');
}

function countDoc(db: Firestore, id: CounterId): DocumentReference {
  return mailCountDocs(db).doc(id);
}
