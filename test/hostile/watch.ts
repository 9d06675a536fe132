/**
 * What must go on whatever happens beside it: valid messages of other keys, reads of the API, imports and their
 * events. Each is begun again and again and timed until its effect is stored; /health is asked once a second.
 */
import { randomUUID } from 'node:crypto';
import type { Query } from '@google-cloud/firestore';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { recordIdOf } from '../../shared/store/imports.ts';
import { aRegistration } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { aForeignEvent, aMailTo } from '../support/patients-world.ts';
import type { RawProducer } from '../support/raw-producer.ts';
import type { TestStack } from '../support/stack.ts';

const STANDS_AFTER_MS = 2_000;
/**
 * A machine that is busy with other things is not a service that stands: how much slower than on a quiet one a write to
 * Firestore comes back to its writer is granted so many times over.
 */
const GRANTED_TIMES = 10;
/** What has no effect after this long is given up, and counts as standing. */
const GIVEN_UP_MS = 15_000;
const UNDER_WAY_WITHIN_MS = 120_000;
const PARTITIONS = [0, 1, 2, 3, 4, 5];

export type Probed = 'communication-events' | 'therapist-events' | 'GET a patient' | 'an import' | '/health';

interface Observation {
  readonly what: string;
  readonly at: number;
  readonly tookMs: number;
}

/** How long a write of our own to Firestore took to come back. */
interface Control {
  readonly at: number;
  readonly tookMs: number;
}

export interface HealthSample {
  readonly at: number;
  readonly status: string;
  readonly reasons: readonly string[];
}

export interface Watch {
  /** /health as it was, once a second. */
  readonly health: readonly HealthSample[];
  /** Sends no probes to this partition: it is meant to stand. */
  leaveOut(topic: string, partition: number): void;
  putBack(topic: string, partition: number): void;
  /** Does work during which probes of these kinds cannot be sent, or would prove nothing. */
  without<T>(probed: readonly Probed[], work: () => Promise<T>): Promise<T>;
  /** Resolves when everything that is probed answers in time for the first time, and forgets what came before. */
  untilUnderWay(): Promise<void>;
  /** Waits for the probes under way. @throws AssertionError naming what took longer than 2 s since the last call */
  assertNothingStood(): Promise<void>;
  /** The slowest of each kind since the start, in milliseconds, and of what has nothing to do with the service. */
  slowest(): Record<string, number>;
  stop(): Promise<void>;
}

/** @param patients to whom the probes are addressed, in turn: those of one patient would queue for it */
export function startWatch(stack: TestStack, producer: RawProducer, patients: readonly number[]): Watch {
  const { api, health: healthUrl, tokens } = stack.describe();
  const stopping = new AbortController();
  const leftOut = new Set<string>();
  const suspended = new Set<Probed>();
  const under = new Set<Promise<void>>();
  const observed: Observation[] = [];
  const worst: Record<string, number> = {};
  const health: HealthSample[] = [];
  const controls: Control[] = [];
  const expected = new Map<string, () => void>();
  let round = 0;
  let turn = 0;

  const arrived = (ids: readonly string[]) => {
    for (const id of ids) expected.get(id)?.();
  };
  const listen = (collection: Query) =>
    collection.onSnapshot(
      (snapshot) =>
        arrived(
          snapshot
            .docChanges()
            // A therapist's event is noted when it is begun, and again when it is complete.
            .filter(({ doc }) => doc.get('complete') !== false)
            .map(({ doc }) => String(doc.get('event_id') ?? doc.id)),
        ),
      () => undefined,
    );
  const unsubscribe = [
    listen(stack.db.collectionGroup('communication')),
    ...['applied_events', 'imports', 'controls'].map((name) => listen(stack.db.collection(name))),
  ];

  const latest = new Map<Probed, number>();

  /** Resolves when a document of this id has been stored in one of the collections listened to. */
  async function stored(id: string): Promise<void> {
    await new Promise<void>((resolve) => expected.set(id, resolve));
    expected.delete(id);
  }

  /** One probe at a time: a machine that is slow is not made slower, and one that stands is seen all the same. */
  async function repeat(kind: Probed, everyMs: number, probe: () => Promise<string | void>): Promise<void> {
    while (!stopping.signal.aborted) {
      if (!suspended.has(kind)) {
        const one = observe(kind, probe).finally(() => under.delete(one));
        under.add(one);
        await one;
      }
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  async function observe(kind: Probed, probe: () => Promise<string | void>): Promise<void> {
    const at = Date.now();
    const outcome = await Promise.race([
      probe().then(
        (what) => ({ what: what ?? kind, failed: false }),
        (error: unknown) => ({ what: `${kind}: ${String(error)}`, failed: true }),
      ),
      sleep(GIVEN_UP_MS, { what: kind, failed: false }, { ref: false }),
    ]);
    const tookMs = outcome.failed ? Number.POSITIVE_INFINITY : Date.now() - at;
    // A probe that was suspended meanwhile says nothing.
    if (suspended.has(kind) || stopping.signal.aborted) return;
    observed.push({ what: outcome.what, at, tookMs });
    latest.set(kind, tookMs);
    worst[kind] = Math.max(worst[kind] ?? 0, tookMs);
  }

  const openPartitions = (topic: string) =>
    PARTITIONS.filter((partition) => !leftOut.has(`${topic}/${partition}`));

  /** @returns the partition, for the report */
  async function send(topic: string, event: { readonly eventId: string }): Promise<string> {
    const open = openPartitions(topic);
    round += 1;
    const partition = open[round % open.length]!;
    const effect = stored(event.eventId);
    await producer.produce(topic, partition, [{ key: `probe-${round}`, value: JSON.stringify(event) }]);
    await effect;
    return `${topic} partition ${partition}`;
  }

  /** A round trip that has nothing to do with the service. */
  async function control(): Promise<void> {
    const at = Date.now();
    const id = randomUUID();
    const back = stored(id);
    await stack.db.doc(`controls/${id}`).set({ at });
    await back;
    controls.push({ at, tookMs: Date.now() - at });
  }

  /** The slowest control round trip that overlaps the observation. */
  function slownessDuring({ at, tookMs }: Observation): number {
    const until = at + tookMs;
    const during = controls.filter((one) => one.at <= until && one.at + one.tookMs >= at);
    return Math.max(0, ...during.map((one) => one.tookMs));
  }

  const nextPatient = () => patients[(turn += 1) % patients.length]!;
  const loops = [
    (async () => {
      while (!stopping.signal.aborted) {
        // Firestore is too busy to say how busy it is.
        await control().catch(() => undefined);
        await sleep(300, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    })(),
    repeat('communication-events', 300, () => send('communication-events', aMailTo(nextPatient()))),
    repeat('therapist-events', 300, () => {
      // Of events of one therapist an older one might find itself outdated.
      const payload = { therapist_id: 1_900_000_000 + round, therapist_data: {} };
      return send('therapist-events', aForeignEvent('therapist.blocked', payload));
    }),
    repeat('GET a patient', 300, async () => {
      const headers = { authorization: `Bearer ${tokens.reader}` };
      const answer = await fetch(`${api}/api/patients/${nextPatient()}`, { headers });
      await answer.arrayBuffer();
      if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
    }),
    repeat('an import', 2_000, async () => {
      const name = `incoming/${randomUUID()}.json`;
      const file = stack.bucket.file(name);
      await file.save(JSON.stringify(aRegistration({ email: null })), { resumable: false });
      const id = recordIdOf(stack.bucket.name, name, String(file.metadata.generation));
      if (!(await stack.db.doc(`imports/${id}`).get()).exists) await stored(id);
    }),
    repeat('/health', 1_000, async () => {
      const at = Date.now();
      const answer = await fetch(`${healthUrl}/health`);
      const { status, checks } = (await answer.json()) as {
        status: string;
        checks: Record<string, { reasons: string[] }>;
      };
      health.push({ at, status, reasons: Object.values(checks).flatMap(({ reasons }) => reasons) });
    }),
  ];

  return {
    health,
    leaveOut: (topic, partition) => void leftOut.add(`${topic}/${partition}`),
    putBack: (topic, partition) => void leftOut.delete(`${topic}/${partition}`),
    async without(probed, work) {
      for (const one of probed) suspended.add(one);
      try {
        return await work();
      } finally {
        // What was sent before and waits still is not judged.
        await Promise.race([Promise.all(under), sleep(GIVEN_UP_MS, undefined, { ref: false })]);
        for (const one of probed) suspended.delete(one);
      }
    },
    async untilUnderWay() {
      await eventually(() => {
        const kinds: readonly Probed[] = [
          'communication-events',
          'therapist-events',
          'GET a patient',
          'an import',
        ];
        for (const kind of kinds) expect(latest.get(kind) ?? Infinity, kind).toBeLessThan(STANDS_AFTER_MS);
      }, UNDER_WAY_WITHIN_MS);
      observed.splice(0);
    },
    async assertNothingStood() {
      await Promise.all(under);
      const slow = observed
        .splice(0)
        .filter((one) => one.tookMs > STANDS_AFTER_MS + GRANTED_TIMES * slownessDuring(one))
        .map(({ what, at, tookMs }) => `${new Date(at).toISOString()} ${what} took ${tookMs} ms`);
      expect(slow.join('\n'), 'what stood meanwhile').toBe('');
    },
    slowest: () => ({ ...worst, 'the machine': Math.max(0, ...controls.map(({ tookMs }) => tookMs)) }),
    async stop() {
      stopping.abort();
      await Promise.all(loops);
      for (const end of unsubscribe) end();
    },
  };
}
