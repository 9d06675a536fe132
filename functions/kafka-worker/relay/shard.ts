/**
 * Relays one shard of the outbox: reads a page of the oldest events, publishes it, deletes what was acknowledged,
 * and repeats until the shard is empty. It reads the next page only after Kafka acknowledged the one before, so
 * that the first appearances of a patient's events are in sequence.
 */
import type { Firestore } from '@google-cloud/firestore';
import type { LimitFunction } from 'p-limit';
import { delayAfter, pauseFor, type BackoffRange } from '../../../shared/platform/backoff.ts';
import { chunksOf, type Publisher } from '../../../shared/kafka/publish.ts';
import type { Clock } from '../../../shared/platform/clock.ts';
import { isServiceError, ServiceError } from '../../../shared/platform/errors.ts';
import { errorFields, type Log } from '../../../shared/platform/log.ts';
import { measure } from '../../../shared/platform/metrics.ts';
import { deleteAll } from '../../../shared/store/firestore.ts';
import { readEventsBut, type OutboxEvent } from '../../../shared/store/outbox-events.ts';
import type { Backlog } from './backlog.ts';
import type { Bell } from './bell.ts';
import { createHolds } from './holds.ts';
import type { Journal } from './journal.ts';
import type { LateArrivals } from './late-arrivals.ts';
import type { Term } from './leadership.ts';
import {
  FIRST_LIMIT,
  inSequence,
  isWhole,
  letterOf,
  limitAfter,
  withoutLastMoment,
  type Letter,
} from './page.ts';
import { createSentNumbers } from './sent-numbers.ts';
import { reportPublished } from './report.ts';

/** What all shards share. */
export interface ShardDependencies {
  readonly db: Firestore;
  readonly publisher: Publisher;
  readonly topic: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly lateArrivals: LateArrivals;
  /** Limits how many pages are read at the same time. */
  readonly reading: LimitFunction;
}

/** A page of at least this many events means that the shard is behind. */
const BEHIND = 100;
/** The shard is read this often even if no listener wakes it. */
const POLL_MS = 30_000;
const BACKOFF: BackoffRange = { firstMs: 200, lastMs: 5_000 };
/**
 * The next page of a drain begins this long before the end of the last one, to include events that were committed late.
 * A page that began at the front would scan all entries deleted so far, more with each page. No commit takes 300 s,
 * and each round begins at the front.
 */
const LATE_COMMIT_MS = 300_000;
/** Polls faster while events are kept back: they may fill the listener's view and hide the events behind them. */
const POLL_BEHIND_HELD_MS = 1_000;
const RETRY_UNSENDABLE_MS = 30_000;

/**
 * Runs until the term is over. Failures are logged and retried without limit.
 * @param wakeAll wakes every shard: called while this one is behind or keeps events back
 */
export async function relayShard(
  shard: number,
  { db, publisher, topic, clock, log, lateArrivals, reading }: ShardDependencies,
  term: Term,
  bell: Bell<readonly OutboxEvent[]>,
  journal: Journal,
  backlog: Backlog,
  wakeAll: () => void,
): Promise<void> {
  /** Events that Kafka acknowledged and that are not yet deleted from the outbox. */
  let acknowledged: OutboxEvent[] = [];
  const holds = createHolds();
  const sentNumbers = createSentNumbers();
  /** When the shard was last read, by the process's monotonic clock. */
  let lookedAt = -Infinity;

  /** @param news the events of this shard that the listener saw; undefined: read the shard */
  async function relay(news: readonly OutboxEvent[] | undefined): Promise<void> {
    holds.expire();
    const isFresh = performance.now() - lookedAt < POLL_MS;
    if (news === undefined || !isFresh || !holds.isEmpty() || !sentNumbers.areNext(news)) return relayAll();
    journal.turned(shard);
    await clear();
    await send(news);
  }

  async function relayAll(): Promise<void> {
    lookedAt = performance.now();
    let since: number | undefined;
    let limit = FIRST_LIMIT;
    do {
      journal.turned(shard);
      await clear();
      const range = { since, skip: (event: OutboxEvent) => holds.has(event) };
      const { events, isLast } = await reading(() => readEventsBut(db, shard, limit, range));
      if (events.length >= BEHIND) backlog.behind(shard);
      const settled = isLast ? events : withoutLastMoment(events);
      await send(settled);
      if (isLast) return;
      // A drain may take long, and the listener is off meanwhile: the other shards must read for themselves.
      wakeAll();
      since = (settled.at(-1)?.committedAt ?? 0) - LATE_COMMIT_MS;
      limit = limitAfter(events);
    } while (term.isHeld());
  }

  /** Sends the events in batches; each is deleted from the outbox before the next is sent, so that a crash repeats no more. */
  async function send(page: readonly OutboxEvent[]): Promise<void> {
    holdDeletions(page);
    const damaged = new Map<number, OutboxEvent>();
    const sendable = inSequence(page).filter((entry) => {
      if (!isWhole(entry) && !damaged.has(entry.patientId)) damaged.set(entry.patientId, entry);
      return !damaged.has(entry.patientId);
    });
    for (const chunk of chunksOf(sendable.map((entry) => letterOf(entry, topic)))) {
      const letters = chunk.filter(({ entry }) => !holds.has(entry));
      if (letters.length === 0) continue;
      if (!term.isHeld()) return;
      try {
        await publish(letters);
        acknowledge(letters);
        journal.turned(shard);
      } catch (error) {
        if (!isServiceError(error, 'event.too_large', 'event.unsendable')) throw error;
        await sendSingly(letters);
      }
      await clear();
    }
    for (const entry of damaged.values()) hold(entry, new ServiceError('event.unsendable'));
  }

  /**
   * Keeps a `patient.deleted` back while an earlier event of the patient waits here or is in flight, or while a mail to
   * the patient is being sent.
   */
  function holdDeletions(page: readonly OutboxEvent[]): void {
    const deletions = page.filter(({ eventType }) => eventType === 'patient.deleted');
    if (deletions.length === 0) return;
    const byPatient = Map.groupBy(page, ({ patientId }) => patientId);
    for (const entry of deletions) {
      const hasEarlier = (byPatient.get(entry.patientId)?.length ?? 0) > 1;
      const mailMs = (entry.notBefore ?? 0) - clock().epochMilliseconds;
      const waitMs = Math.max(lateArrivals.settledInMs(), mailMs);
      if (hasEarlier || waitMs > 0) holds.add(entry, waitMs);
    }
  }

  async function publish(letters: readonly Letter[]): Promise<void> {
    let isBegun = false;
    try {
      await publisher.publish(letters, () => {
        const isHeld = term.isHeld();
        isBegun ||= isHeld;
        return isHeld;
      });
    } catch (error) {
      if (isBegun && !isServiceError(error, 'event.too_large')) lateArrivals.unanswered();
      throw error;
    }
  }

  /** Sends one by one to find the message that fails; keeps it and the patient's later events back. */
  async function sendSingly(letters: readonly Letter[]): Promise<void> {
    for (const letter of letters) {
      if (holds.has(letter.entry)) continue;
      if (!term.isHeld()) return;
      try {
        await publish([letter]);
        acknowledge([letter]);
      } catch (error) {
        if (!isServiceError(error, 'event.too_large', 'event.unsendable')) throw error;
        hold(letter.entry, error);
      }
    }
  }

  function hold(entry: OutboxEvent, error: ServiceError): void {
    const { patientId, sequence, eventId, eventType } = entry;
    if (holds.has(entry)) return;
    holds.add(entry, RETRY_UNSENDABLE_MS);
    log.error("An event cannot be sent: it waits, and its patient's next ones with it", {
      patient_id: patientId,
      sequence,
      event_id: eventId,
      event_type: eventType,
      bytes: isWhole(entry) ? Buffer.byteLength(entry.envelope) : 0,
      ...errorFields(error),
    });
    measure(log, 'errors', { error_code: error.code });
    journal.failed(error);
  }

  function acknowledge(letters: readonly Letter[]): void {
    const entries = letters.map(({ entry }) => entry);
    acknowledged.push(...entries);
    for (const entry of entries) sentNumbers.acknowledged(entry);
    reportPublished(log, entries, clock().epochMilliseconds);
  }

  /** Deletes acknowledged events. Nothing more is sent before this succeeds: undeleted events would be sent again. */
  async function clear(): Promise<void> {
    if (acknowledged.length === 0) return;
    // An erasure may have deleted an entry meanwhile: that is no error.
    await deleteAll(
      db,
      acknowledged.map(({ ref }) => ({ ref })),
    );
    acknowledged = [];
  }

  let news: readonly OutboxEvent[] | undefined;
  for (let failures = 0; !term.signal.aborted;) {
    try {
      await relay(news).finally(() => backlog.caughtUp(shard));
      failures = 0;
      if (holds.isEmpty() && term.isHeld()) journal.emptied(shard);
      news = await bell.heard(holds.isEmpty() ? POLL_MS : POLL_BEHIND_HELD_MS, term.signal);
      if (!holds.isEmpty()) wakeAll();
    } catch (error) {
      failures += 1;
      news = undefined;
      const delay = delayAfter(failures, BACKOFF);
      // An attempt cut off because another worker leads now is not a failure.
      if (!term.isHeld()) {
        await pauseFor(delay, term.signal);
        continue;
      }
      journal.failed(error);
      measure(log, 'errors', { error_code: isServiceError(error) ? error.code : 'internal' });
      // Log only the first failure of a series: 16 shards would repeat it every few seconds.
      if (failures === 1) log.warn('A shard of the outbox is tried again', { shard, ...errorFields(error) });
      await pauseFor(delay, term.signal);
    }
  }
}
