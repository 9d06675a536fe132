/**
 * The relay: the worker that holds the lease sends the events of the outbox to Kafka and its mails to the communication
 * service (docs/architecture.md#the-outbox-and-the-relay). Each part is a module in this folder; this one connects them.
 */
import type { Firestore, QuerySnapshot } from '@google-cloud/firestore';
import pLimit from 'p-limit';
import type { Publisher } from '../../../shared/kafka/publish.ts';
import type { Clock } from '../../../shared/platform/clock.ts';
import type { ErrorCode } from '../../../shared/platform/errors.ts';
import type { Log } from '../../../shared/platform/log.ts';
import { frontEventsQuery, toEvent, type OutboxEvent } from '../../../shared/store/outbox-events.ts';
import { claimedUntil, mailsQuery } from '../../../shared/store/outbox-mails.ts';
import { SHARDS } from '../../../shared/store/outbox.ts';
import { logAuditLeftovers } from './audit-leftovers.ts';
import { createBacklog } from './backlog.ts';
import { createBell } from './bell.ts';
import { createJournal } from './journal.ts';
import { createLateArrivals } from './late-arrivals.ts';
import { seekLeadership, type LeaseTiming, type Term, type TermResult } from './leadership.ts';
import { sendMails } from './mailer.ts';
import { keepMarks, untilReleased, type RaiseMarks } from './marks.ts';
import { relayShard } from './shard.ts';
import { listen } from './wake-up.ts';

export interface RelayOptions {
  readonly db: Firestore;
  /** Used by the relay alone, without retries: the relay retries, and checks before each attempt that it still leads. */
  readonly publisher: Publisher;
  readonly topic: string;
  /** Base URL of the communication service. */
  readonly communicationUrl: string;
  /** @throws ServiceError `store.fenced` when the database is a restored copy */
  readonly raiseMarks: RaiseMarks;
  readonly clock: Clock;
  readonly log: Log;
  readonly lease?: LeaseTiming;
  /** How often the marks of the restore fence are raised, in milliseconds. */
  readonly markMs?: number;
}

/**
 * Shards that read a page at the same time. Their batches are sent one at a time, so more pages would only wait in memory;
 * and Firestore's emulator, which sorts all waiting events for each page, never answers 16 such queries over 100,000.
 */
const PAGES_AT_ONCE = 4;

/** How old a listener's view may be for its events to be sent as they are. */
const SEEN_WITHIN_MS = 1_000;

/** Times are in milliseconds since the epoch. */
export interface RelayState {
  /** False for a stand-by. */
  readonly leader: boolean;
  /** When the slowest loop last began a round. Shows liveness whatever the state of Kafka and Firestore. */
  readonly lastTurnAt: number;
  /** At this time or later this worker saw each shard of the outbox empty; undefined until it has. */
  readonly lastRelayAt: number | undefined;
  readonly lastErrorCode: ErrorCode | undefined;
}

export interface Relay {
  state(): RelayState;
  /** Finishes the sends in flight, deletes what was acknowledged and releases the lease. The publisher stays open. */
  stop(): Promise<void>;
}

export function startRelay({ db, log, lease, raiseMarks, markMs, ...rest }: RelayOptions): Relay {
  let journal = createJournal();
  const lateArrivals = createLateArrivals();
  const leadership = seekLeadership(db, 'relay', log, lead, lease);

  async function lead(term: Term): Promise<TermResult> {
    lateArrivals.tookOver(term.unsettledForMs);
    journal = createJournal();
    if (!(await untilReleased(raiseMarks, term, log))) return { isSettled: lateArrivals.isSettled() };
    const backlog = createBacklog();
    const mailBell = createBell();
    const bells = Array.from({ length: SHARDS }, () => createBell<readonly OutboxEvent[]>());
    const reading = pLimit(PAGES_AT_ONCE);
    const wakeAll = () => [...bells, mailBell].forEach((bell) => bell.ring());
    const eventsSeen = ({ docs, readTime }: QuerySnapshot) => {
      // A view that is not full shows the whole outbox, so its events need not be read again. An old view cannot be used:
      // an erasure may have deleted an event since.
      const isWhole = docs.length < SHARDS && Date.now() - readTime.toMillis() < SEEN_WITHIN_MS;
      for (const [shard, ofShard] of Map.groupBy(docs, (doc) => doc.get('shard') as number)) {
        bells[shard]?.ring(isWhole ? ofShard.map(toEvent) : undefined);
      }
    };
    // Claiming a mail triggers the listener too: no need to wake the mailer for that.
    const mailsSeen = ({ docs }: QuerySnapshot) => {
      if (docs.some((doc) => claimedUntil(doc) === undefined)) mailBell.ring();
    };
    await Promise.all([
      // One listener for all shards: with every write Firestore evaluates every listener of the collection.
      listen(frontEventsQuery(db), eventsSeen, wakeAll, backlog, term.signal, log),
      listen(mailsQuery(db, 1), mailsSeen, wakeAll, backlog, term.signal, log),
      ...bells.map((bell, shard) =>
        relayShard(shard, { db, log, lateArrivals, reading, ...rest }, term, bell, journal, backlog, wakeAll),
      ),
      sendMails({ db, log, ...rest }, term, mailBell, backlog, journal),
      logAuditLeftovers({ db, log, clock: rest.clock }, term),
      keepMarks(raiseMarks, term, log, markMs),
    ]);
    return { isSettled: lateArrivals.isSettled() };
  }

  return {
    state: () => ({
      leader: leadership.isLeader(),
      lastTurnAt: Math.min(
        leadership.lastTurnAt(),
        (leadership.isLeader() && journal.lastTurnAt()) || Infinity,
      ),
      lastRelayAt: journal.lastEmptyAt(),
      lastErrorCode: journal.lastErrorCode(),
    }),
    stop: () => leadership.stop(),
  };
}
