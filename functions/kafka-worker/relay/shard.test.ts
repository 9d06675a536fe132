/** One shard's loop against a publisher that the test commands: interleavings that a real broker shows once in a thousand runs. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Timestamp } from '@google-cloud/firestore';
import pLimit from 'p-limit';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { OutgoingMessage } from '../../../shared/kafka/ports.ts';
import type { Publisher } from '../../../shared/kafka/publish.ts';
import { systemClock } from '../../../shared/platform/system-clock.ts';
import { ServiceError } from '../../../shared/platform/errors.ts';
import { connectFirestore } from '../../../shared/store/firestore.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { testLog } from '../../../test/support/kafka.ts';
import { eventsQuery, toEvent, type OutboxEvent } from '../../../shared/store/outbox-events.ts';
import { createBacklog } from './backlog.ts';
import { createBell } from './bell.ts';
import { createJournal } from './journal.ts';
import { createLateArrivals } from './late-arrivals.ts';
import { relayShard } from './shard.ts';

interface Entry {
  readonly patient: number;
  readonly sequence: number;
  /** Seconds after an arbitrary moment in the past. */
  readonly at: number;
  readonly type?: string;
  readonly notBefore?: number;
  readonly envelope?: string;
}

const TOO_LARGE = 900;
const BEGIN = Date.now() - 600_000;

function shardWorld({ underWayMs = 0, now = () => performance.now() } = {}) {
  const db = connectFirestore({ GOOGLE_CLOUD_PROJECT: `demo-${randomUUID().slice(0, 8)}` });
  const lateArrivals = createLateArrivals(underWayMs, now);
  const requests: string[][] = [];
  const bell = createBell<readonly OutboxEvent[]>();
  let isWaiting = false;
  const observedBell: typeof bell = {
    ...bell,
    async heard(...limits) {
      isWaiting = true;
      return bell.heard(...limits).finally(() => (isWaiting = false));
    },
  };
  const ended = new AbortController();
  const name = ({ key, value }: OutgoingMessage) => `${String(key)}:${String(value)}`;
  let beforeAnswer: (sent: readonly string[]) => Promise<void> = async () => {};

  const publisher: Publisher = {
    connect: async () => {},
    async publish(messages, mayStillSend = () => true) {
      if (!mayStillSend()) throw new ServiceError('kafka.unavailable');
      if (messages.some(({ key }) => key === String(TOO_LARGE))) throw new ServiceError('event.too_large');
      const sent = messages.map(name);
      requests.push(sent);
      await beforeAnswer(sent);
    },
    close: async () => {},
  };

  return {
    db,
    requests,
    lateArrivals,
    published: () => requests.flat(),
    whileSending: (action: typeof beforeAnswer) => (beforeAnswer = action),
    async put(entries: readonly Entry[]): Promise<void> {
      for (let from = 0; from < entries.length; from += 400) {
        const batch = db.batch();
        for (const entry of entries.slice(from, from + 400)) {
          const { patient, sequence, at, type = 'patient.updated', notBefore } = entry;
          batch.create(db.collection('outbox').doc(randomUUID()), {
            kind: 'kafka',
            shard: 0,
            patient_id: patient,
            sequence,
            event_type: type,
            timestamp: '2026-11-28T10:00:00Z',
            envelope: entry.envelope ?? (type === 'patient.deleted' ? 'deleted' : String(sequence)),
            created_at: Timestamp.fromMillis(BEGIN + at * 1_000),
            ...(notBefore === undefined ? {} : { not_before: Timestamp.fromMillis(notBefore) }),
          });
        }
        await batch.commit();
      }
    },
    /** Rings as the listener does that sees the events of these patients. */
    async bring(...patients: number[]): Promise<void> {
      const { docs } = await eventsQuery(db, 0, 500).get();
      bell.ring(docs.map(toEvent).filter(({ patientId }) => patients.includes(patientId)));
    },
    ring: (news?: readonly OutboxEvent[]) => bell.ring(news),
    /** Resolves when the shard has nothing left to do and waits for the bell. */
    untilItWaits: () => eventually(() => expect(isWaiting).toBe(true)),
    start(): void {
      const term = {
        signal: ended.signal,
        isHeld: () => !ended.signal.aborted,
        unsettledForMs: undefined,
        resign: () => ended.abort(),
      };
      const reading = pLimit(1);
      const deps = { db, publisher, topic: 't', clock: systemClock, log: testLog(), lateArrivals, reading };
      const done = relayShard(0, deps, term, observedBell, createJournal(), createBacklog(), () => {});
      onTestFinished(async () => {
        ended.abort();
        await done;
        await db.terminate();
      });
    },
  };
}

const aPatientsEvents = (patient: number, count: number, from: number, everySeconds = 0.1): Entry[] =>
  Array.from({ length: count }, (_, n) => ({ patient, sequence: n + 1, at: from + n * everySeconds }));

describe('behind an event that is kept back', () => {
  it('an event that was committed late still goes before its successor', async () => {
    const world = shardWorld();
    // A full page whose 481st event is too large; the page after it must not begin there.
    await world.put([
      ...aPatientsEvents(1, 480, 0),
      { patient: TOO_LARGE, sequence: 1, at: 48 },
      ...aPatientsEvents(2, 40, 48.1),
    ]);
    let isLate = true;
    world.whileSending(async () => {
      if (!isLate) return;
      isLate = false;
      await world.put([
        { patient: 7, sequence: 5, at: 47.05 },
        { patient: 7, sequence: 6, at: 60 },
      ]);
    });

    world.start();
    await eventually(() => expect(world.published()).toHaveLength(522));

    expect(world.published().filter((sent) => sent.startsWith('7:'))).toEqual(['7:5', '7:6']);
  });

  it('the others pass, also when it and its successors fill a page', async () => {
    const world = shardWorld();
    await world.put([...aPatientsEvents(TOO_LARGE, 1_100, 0), ...aPatientsEvents(3, 700, 120)]);

    world.start();
    await eventually(() => expect(world.published()).toHaveLength(700));

    expect(world.published()).toEqual(Array.from({ length: 700 }, (_, n) => `3:${n + 1}`));
  });
});

describe('a deep backlog', () => {
  it('is read in larger pages after the first one', async () => {
    const world = shardWorld();
    await world.put(aPatientsEvents(1, 3_000, 0, 0));

    world.start();
    await eventually(() => expect(world.published()).toHaveLength(3_000));

    // One request for each page, since events as small as these fit one batch.
    expect(world.requests.map(({ length }) => length)).toEqual([500, 2_000, 500]);
  });

  it('leaves the outbox batch by batch, so that a crash repeats no more than one', async () => {
    const world = shardWorld();
    const envelope = 'x'.repeat(400_000);
    await world.put(aPatientsEvents(1, 5, 0).map((entry) => ({ ...entry, envelope })));
    const waiting: number[] = [];
    world.whileSending(async () => {
      waiting.push((await world.db.collection('outbox').get()).size);
    });

    world.start();
    await eventually(() => expect(waiting).toEqual([5, 3, 1]));
  });
});

describe('patient.deleted', () => {
  const deletion = (patient: number, sequence: number, at: number, notBefore?: number): Entry => ({
    patient,
    sequence,
    at,
    type: 'patient.deleted',
    ...(notBefore === undefined ? {} : { notBefore }),
  });

  it('waits while a message of a leader that died may still arrive; nothing else waits', async () => {
    let now = 0;
    const world = shardWorld({ underWayMs: 1_000, now: () => now });
    world.lateArrivals.tookOver(0);
    await world.put([deletion(1, 4, 0), ...aPatientsEvents(2, 3, 1)]);

    world.start();
    await eventually(() => expect(world.published()).toEqual(['2:1', '2:2', '2:3']));
    // It looks again each second.
    await sleep(2_500);
    expect(world.published()).toHaveLength(3);

    now = 1_000;
    await eventually(() => expect(world.published()).toContain('1:deleted'));
  });

  it('waits after one of its own attempts got no response', async () => {
    const world = shardWorld({ underWayMs: 2_000 });
    await world.put([{ patient: 1, sequence: 1, at: 0 }]);
    let isLost = true;
    let lostAt = 0;
    world.whileSending(async () => {
      if (!isLost) return;
      isLost = false;
      lostAt = performance.now();
      // The erasure takes the event that was just sent, and its answer is lost.
      const { docs } = await world.db.collection('outbox').get();
      await Promise.all(docs.map((doc) => doc.ref.delete()));
      await world.put([deletion(1, 2, 1)]);
      throw new ServiceError('kafka.unavailable');
    });

    world.start();
    await eventually(() => expect(world.published()).toEqual(['1:1', '1:deleted']));

    expect(performance.now() - lostAt).toBeGreaterThanOrEqual(2_000);
  });

  it('is never in one request with an older event, which a repeat would bring back after it', async () => {
    const world = shardWorld();
    await world.put([{ patient: 1, sequence: 1, at: 0 }, deletion(1, 2, 0)]);

    world.start();
    await eventually(() => expect(world.published()).toHaveLength(2));

    expect(world.requests).toEqual([['1:1'], ['1:deleted']]);
  });

  it('waits until every claim of a mail of its patient has expired', async () => {
    const world = shardWorld();
    const notBefore = Date.now() + 2_500;
    await world.put([deletion(1, 2, 0, notBefore)]);

    world.start();
    await eventually(() => expect(world.published()).toEqual(['1:deleted']));

    expect(Date.now()).toBeGreaterThanOrEqual(notBefore);
  });
});

describe('what the listener brings', () => {
  const started = async () => {
    const world = shardWorld();
    await world.put([{ patient: 1, sequence: 1, at: 0 }]);
    world.start();
    await eventually(() => expect(world.published()).toEqual(['1:1']));
    await eventually(async () => expect((await world.db.collection('outbox').get()).size).toBe(0));
    await world.untilItWaits();
    return world;
  };

  it('is sent without a look at the outbox where it comes next, and leaves the outbox', async () => {
    const world = await started();
    await world.put([
      { patient: 1, sequence: 2, at: 1 },
      { patient: 2, sequence: 1, at: 1 },
      { patient: 3, sequence: 1, at: 1 },
    ]);
    await world.bring(1, 2);
    await eventually(() => expect(world.published().toSorted()).toEqual(['1:1', '1:2', '2:1']));
    await eventually(async () => expect((await world.db.collection('outbox').get()).size).toBe(1));

    world.ring();
    await eventually(() => expect(world.published().at(-1)).toBe('3:1'));
  });

  it('is looked for where an earlier event may wait, so that the earlier one goes first', async () => {
    const world = await started();
    await world.put([
      { patient: 1, sequence: 2, at: 1 },
      { patient: 2, sequence: 1, at: 1 },
    ]);
    await world.bring(2);
    await eventually(() => expect(world.published()).toEqual(['1:1', '2:1']));
    await world.untilItWaits();
    await world.put([{ patient: 1, sequence: 3, at: 2 }]);
    const { docs } = await eventsQuery(world.db, 0, 500).get();
    world.ring(docs.map(toEvent).filter(({ sequence }) => sequence === 3));
    await eventually(() => expect(world.published()).toEqual(['1:1', '2:1', '1:2', '1:3']));
  });

  it('is not sent once more when it was sent and deleted meanwhile', async () => {
    const world = await started();
    await world.put([{ patient: 2, sequence: 1, at: 1 }]);
    const { docs } = await eventsQuery(world.db, 0, 500).get();
    for (let twice = 0; twice < 2; twice += 1) {
      world.ring(docs.map(toEvent));
      await eventually(() => expect(world.published()).toEqual(['1:1', '2:1']));
      await world.untilItWaits();
      await sleep(200);
    }
    expect(world.published()).toEqual(['1:1', '2:1']);
  });

  it('is dropped while the shard is busy: it may have been taken away before its turn', async () => {
    const world = await started();
    await world.put([{ patient: 2, sequence: 1, at: 1 }]);
    world.whileSending(async () => {
      world.whileSending(async () => {});
      await world.put([{ patient: 3, sequence: 1, at: 2 }]);
      const { docs } = await eventsQuery(world.db, 0, 500).where('patient_id', '==', 3).get();
      world.ring(docs.map(toEvent));
      await docs[0]!.ref.delete();
    });
    await world.bring(2);
    await eventually(() => expect(world.published()).toEqual(['1:1', '2:1']));
    await sleep(300);
    expect(world.published()).toEqual(['1:1', '2:1']);
  });
});
