/**
 * Sends the mails of the outbox to the communication service until it accepts them, also while Kafka
 * is down. Only the leader sends; otherwise all workers would compete to claim each mail. The claim still covers two
 * leaders that overlap, which the lease cannot exclude. After a crash the mail is only delayed until its claim expires.
 */
import type { Firestore } from '@google-cloud/firestore';
import { delayAfter, pauseFor, type BackoffRange } from '../../../shared/platform/backoff.ts';
import type { Clock } from '../../../shared/platform/clock.ts';
import type { ServiceError } from '../../../shared/platform/errors.ts';
import { errorFields, type Log } from '../../../shared/platform/log.ts';
import { measure, measured } from '../../../shared/platform/metrics.ts';
import { continueTrace, withTrace } from '../../../shared/platform/trace.ts';
import { deleteAll } from '../../../shared/store/firestore.ts';
import {
  claimMail,
  isStillClaimed,
  readMails,
  returnMail,
  type OutboxMail,
} from '../../../shared/store/outbox-mails.ts';
import type { Backlog } from './backlog.ts';
import type { Bell } from './bell.ts';
import type { Journal } from './journal.ts';
import type { Term } from './leadership.ts';
import { postMail } from './post-mail.ts';

export interface MailerDependencies {
  readonly db: Firestore;
  readonly communicationUrl: string;
  readonly clock: Clock;
  readonly log: Log;
}

const AT_ONCE = 16;
/** A mail whose sender died can be claimed again after this time. */
const CLAIM_SECONDS = 30;
/** A claim older than this is not used: the request takes up to 10 s and must end well before the claim expires. */
const BEGIN_WITHIN_MS = 15_000;
/** The mails are read this often even if no listener wakes the mailer. */
const POLL_MS = 30_000;
/** The mails are read this often while the listener is off. */
const POLL_UNHEARD_MS = 1_000;
/** Delays between the attempts of one mail that is not accepted. */
const MAIL_BACKOFF: BackoffRange = { firstMs: 500, lastMs: 600_000 };
/** Delays of the loop while Firestore is unavailable. */
const BACKOFF: BackoffRange = { firstMs: 200, lastMs: 5_000 };

/** Runs until the term is over and its running requests have ended. */
export async function sendMails(
  { db, communicationUrl, clock, log }: MailerDependencies,
  term: Term,
  bell: Bell,
  backlog: Pick<Backlog, 'isCalm'>,
  journal: Journal,
): Promise<void> {
  const sending = new Set<Promise<void>>();

  /** @returns when the next waiting mail is due, in milliseconds since the epoch; undefined when none waits */
  async function sendDue(): Promise<number | undefined> {
    while (term.isHeld()) {
      const room = AT_ONCE - sending.size;
      const mails = await readMails(db, room);
      const now = clock();
      const due = mails.filter(({ dueAt }) => dueAt <= now.epochMilliseconds);
      if (due.length === 0) return mails[0]?.dueAt;
      const claimedAt = performance.now();
      const expiresAt = now.add({ seconds: CLAIM_SECONDS });
      await Promise.all(
        due.map(async (mail) => {
          const claimed = await claimMail(mail, expiresAt);
          if (claimed !== undefined) start(claimed, claimedAt);
        }),
      );
      // A page that is not full held every due mail; a mail written since then rings the bell.
      if (mails.length < room) return mails[due.length]?.dueAt;
      if (sending.size >= AT_ONCE) await Promise.race(sending);
    }
    return undefined;
  }

  function start(mail: OutboxMail, claimedAt: number): void {
    const sent = withTrace(continueTrace(mail.traceparent), () => deliver(mail, claimedAt)).finally(() => {
      sending.delete(sent);
    });
    sending.add(sent);
  }

  async function deliver(mail: OutboxMail, claimedAt: number): Promise<void> {
    if (!(await mayBeSent(mail, claimedAt))) return;
    const answer = await postMail(communicationUrl, mail);
    try {
      if (answer.error === undefined) await clear(mail);
      else await putOff(mail, answer.error, answer.status);
    } catch (error) {
      // The claim will expire, and the mail will be sent again with the same Idempotency-Key.
      journal.failed(error);
      log.warn('The result of sending a mail could not be stored', {
        record_id: mail.idempotencyKey,
        ...errorFields(error),
      });
    }
  }

  /**
   * Checks right before sending that the claim still stands and is young enough to outlast the request: an erasure may
   * have deleted the mail, and it publishes `patient.deleted` once the claim has expired.
   */
  async function mayBeSent(mail: OutboxMail, claimedAt: number): Promise<boolean> {
    try {
      return (await isStillClaimed(mail)) && performance.now() - claimedAt < BEGIN_WITHIN_MS;
    } catch (error) {
      // The claim expires, and the mail is due again.
      journal.failed(error);
      return false;
    }
  }

  async function clear(mail: OutboxMail): Promise<void> {
    const kind = mail.path === '/api/emails' ? 'email' : 'system-message';
    log.record('Mail sent', {
      record_id: mail.idempotencyKey,
      attempt: mail.attempts,
      ...measured({ mails_sent: 1 }, { kind }),
    });
    await deleteAll(db, [mail]);
  }

  async function putOff(mail: OutboxMail, error: ServiceError, status?: number): Promise<void> {
    const delay = Math.round(delayAfter(mail.attempts, MAIL_BACKOFF));
    const line = {
      record_id: mail.idempotencyKey,
      attempt: mail.attempts,
      delay_ms: delay,
      ...(status === undefined ? {} : { status }),
      ...errorFields(error),
    };
    // Retries do not help against a mail that the receiver finds invalid: an operator must look.
    if (error.retriable) log.warn('A mail was not accepted', line);
    else log.error('A mail was refused', line);
    measure(log, 'errors', { error_code: error.code });
    journal.failed(error);
    await returnMail(mail, clock().add({ milliseconds: delay }));
    bell.ring();
  }

  for (let failures = 0; !term.signal.aborted;) {
    try {
      const nextDueAt = (await sendDue()) ?? Infinity;
      failures = 0;
      const untilDue = Math.max(0, nextDueAt - clock().epochMilliseconds);
      // Shards that are behind ring with each page.
      if (!backlog.isCalm()) await pauseFor(POLL_UNHEARD_MS, term.signal);
      else await bell.heard(Math.min(untilDue, POLL_MS), term.signal);
    } catch (error) {
      failures += 1;
      journal.failed(error);
      if (failures === 1) log.warn('The mails are tried again', errorFields(error));
      await pauseFor(delayAfter(failures, BACKOFF), term.signal);
    }
  }
  await Promise.all(sending);
}
