/**
 * How many mails of one kind went out in the last 24 hours, so that no stranger can make the service write to an
 * address as often as they like. A count is a part of the write that causes the mail. Its id is a hash: nobody can
 * read an address in it, and it leaves within a day or two.
 */
import { createHash } from 'node:crypto';
import { domainToASCII } from 'node:url';
import {
  Timestamp,
  type CollectionReference,
  type DocumentReference,
  type Firestore,
  type WriteBatch,
} from '@google-cloud/firestore';
import type { Instant } from '../platform/clock.ts';
import { translated } from './firestore.ts';

const WINDOW_MS = 24 * 3600 * 1000;

declare const counterId: unique symbol;

/** Names the counter of one mailbox. */
export type CounterId = string & { readonly [counterId]: true };

/** The messages to staff about mails that were held back. */
export const STAFF_NOTICES = 'staff_notices' as CounterId;

/**
 * One counter for one mailbox: case and a `+tag` do not make another one, nor how an international domain is spelled.
 * Dots do: most providers tell `a.b@` from `ab@`.
 */
export function counterOf(address: string): CounterId {
  const at = address.lastIndexOf('@');
  const mailbox = address.slice(0, at).normalize('NFC').toLowerCase();
  const domain = address.slice(at + 1);
  const tagless = mailbox.replace(/(?<=.)\+.*$/, '');
  const canonical = `${tagless}@${domainToASCII(domain) || domain.toLowerCase()}`;
  return createHash('sha256').update(canonical).digest('hex') as CounterId;
}

/** What a counter held when it was looked at. */
export interface MailCount {
  readonly id: CounterId;
  /** Milliseconds since the epoch: those within the window only. */
  readonly sent: readonly number[];
  /** Undefined where there is no document. */
  readonly updateTime: Timestamp | undefined;
}

/** The count of a mailbox without mails, assumed without a read: if the assumption is wrong, the write fails. */
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

/** Counts one more. The whole write fails if the counter has changed since it was read. */
export function addCount(db: Firestore, batch: WriteBatch, count: MailCount, now: Instant): void {
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
