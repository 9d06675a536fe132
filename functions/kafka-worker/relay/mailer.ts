/**
 * Sends the mails of the outbox to the communication service until it accepts them, also while Kafka
 * is down. Only the leader sends: with all workers at it, each mail would be claimed once and refused to all
 * others. The claim still guards what the lease does not, two leaders that overlap, and makes a crash cost a delay.
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
/** How long a mail waits whose sender died. */
const CLAIM_SECONDS = 30;
/** A claim that is older is not used: the request takes up to 10 s and must end well before the claim does. */
const BEGIN_WITHIN_MS = 15_000;
/** The mails are looked through this often even if no listener wakes. */
const POLL_MS = 30_000;
/** While nobody listens. */
const POLL_UNHEARD_MS = 1_000;
/** Of one mail that is not accepted. */
const MAIL_BACKOFF: BackoffRange = { firstMs: 500, lastMs: 600_000 };
/** Of the loop when Firestore is away. */
const BACKOFF: BackoffRange = { firstMs: 200, lastMs: 5_000 };

/** Runs until the term is over and what it was sending has ended. */
export async function sendMails(
  { db, communicationUrl, clock, log }: MailerDependencies,
  term: Term,
  bell: Bell,
  backlog: Pick<Backlog, 'isCalm'>,
  journal: Journal,
): Promise<void> {
  const sending = new Set<Promise<void>>();

  /** @returns when the first of those that wait is due, in milliseconds since the epoch */
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
      // A page with room left held all that was due; what comes now rings the bell.
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
      // The claim will expire, and the mail go out once more under the same Idempotency-Key.
      journal.failed(error);
      log.warn('What became of a mail could not be stored', {
        record_id: mail.idempotencyKey,
        ...errorFields(error),
      });
    }
  }

  /**
   * Looks right before sending whether the claim still stands, and is young enough to outlast the request: an erasure may
   * have taken the mail, and publishes `patient.deleted` when the claim has expired.
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
    log.record('mail sent', {
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
    // What the receiver finds fault with does not pass by waiting: somebody has to look.
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
      const poll = backlog.isCalm() ? POLL_MS : POLL_UNHEARD_MS;
      const untilDue = Math.max(0, nextDueAt - clock().epochMilliseconds);
      await bell.heard(Math.min(untilDue, poll), term.signal);
    } catch (error) {
      failures += 1;
      journal.failed(error);
      if (failures === 1) log.warn('The mails are tried again', errorFields(error));
      await pauseFor(delayAfter(failures, BACKOFF), term.signal);
    }
  }
  await Promise.all(sending);
}
