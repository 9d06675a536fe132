/** The waiting mails of the outbox. A mail is claimed before it is sent, so that two workers do not send it at once. */
import {
  Timestamp,
  type DocumentReference,
  type Firestore,
  type Query,
  type QueryDocumentSnapshot,
} from '@google-cloud/firestore';
import type { Mail } from '../patient/consequences.ts';
import type { Instant } from '../platform/clock.ts';
import { isPreconditionLost, translated } from './firestore.ts';
import { entriesOf } from './outbox.ts';

/** A mail that waits for the communication service. */
export interface OutboxMail extends Mail {
  readonly ref: DocumentReference;
  /** When it is due, in milliseconds since the epoch; for a claimed mail, when the claim expires. */
  readonly dueAt: number;
  /** How often it was claimed. */
  readonly attempts: number;
  /** Changes with each claim, so that a claim is won once. */
  readonly updateTime: Timestamp;
  readonly traceparent: string | undefined;
}

/** The mails that are, or will be, due first. */
export function mailsQuery(db: Firestore, limit: number): Query {
  return entriesOf(db, 'mail').orderBy('due_at').limit(limit);
}

/** The mails that are or will be due first. */
export async function readMails(db: Firestore, limit: number): Promise<OutboxMail[]> {
  const page = await translated(() => mailsQuery(db, limit).get());
  return page.docs.map((doc) => ({
    ref: doc.ref,
    idempotencyKey: doc.id,
    path: doc.get('path') as Mail['path'],
    body: JSON.parse(doc.get('body') as string) as Mail['body'],
    dueAt: (doc.get('due_at') as Timestamp).toMillis(),
    attempts: doc.get('attempts') as number,
    updateTime: doc.updateTime,
    traceparent: (doc.get('traceparent') as string | undefined) ?? undefined,
  }));
}

/**
 * Claims a mail before it is sent. It is not due again until the claim expires, which also happens when the claimant dies.
 * @returns the claimed mail to send, or undefined when another worker or an erasure was faster
 */
export function claimMail(mail: OutboxMail, expiresAt: Instant): Promise<OutboxMail | undefined> {
  const due_at = Timestamp.fromMillis(expiresAt.epochMilliseconds);
  return update(mail, { due_at, claimed_until: due_at, attempts: mail.attempts + 1 });
}

/**
 * True while a claimed mail is unchanged: no other worker has claimed it, and no erasure has deleted it.
 * @throws ServiceError `store.*`
 */
export async function isStillClaimed(mail: OutboxMail): Promise<boolean> {
  const { updateTime } = await translated(() => mail.ref.get());
  return updateTime?.isEqual(mail.updateTime) === true;
}

/** Until when a mail may be on its way to the receiver; undefined when it is not being sent. */
export function claimedUntil(entry: QueryDocumentSnapshot): Timestamp | undefined {
  return (entry.get('claimed_until') as Timestamp | null | undefined) ?? undefined;
}

/** Makes a claimed mail that was not accepted due again at `dueAt`. Does nothing if an erasure has deleted it. */
export async function returnMail(mail: OutboxMail, dueAt: Instant): Promise<void> {
  await update(mail, { due_at: Timestamp.fromMillis(dueAt.epochMilliseconds), claimed_until: null });
}

async function update(
  mail: OutboxMail,
  change: {
    readonly due_at: Timestamp;
    readonly claimed_until: Timestamp | null;
    readonly attempts?: number;
  },
): Promise<OutboxMail | undefined> {
  try {
    const { writeTime } = await translated(() =>
      mail.ref.update({ ...change }, { lastUpdateTime: mail.updateTime }),
    );
    const { due_at, attempts = mail.attempts } = change;
    return { ...mail, dueAt: due_at.toMillis(), attempts, updateTime: writeTime };
  } catch (error) {
    if (isPreconditionLost(error)) return undefined;
    throw error;
  }
}
