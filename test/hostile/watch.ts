/**
 * Probes of the work that hostile input must not delay: valid messages of other keys, reads of the API, imports and their
 * events. Each probe is repeated and timed until its effect is stored; /health is called once a second.
 */
import { randomUUID } from 'node:crypto';
import type { Query } from '@google-cloud/firestore';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { recordIdOf } from '../../shared/store/imports.ts';
import { aRegistration } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { Observations } from '../support/observations.ts';
import { aForeignEvent, aMailTo } from '../support/patients-world.ts';
import type { RawProducer } from '../support/raw-producer.ts';
import type { TestStack } from '../support/stack.ts';

/** Milliseconds after which a probe without an effect is given up and counts as delayed. */
const GIVEN_UP_MS = 20_000;
const UNDER_WAY_WITHIN_MS = 120_000;
const PARTITIONS = [0, 1, 2, 3, 4, 5];

export type Probed = 'communication-events' | 'therapist-events' | 'GET a patient' | 'an import' | '/health';

/** Calls `handedOver` when the service has what it needs: what the engines took before does not count. */
type Probe = (handedOver: () => void) => Promise<string | void>;

export interface HealthSample {
  readonly at: number;
  readonly status: string;
  readonly reasons: readonly string[];
}

export interface Watch {
  /** The answers of /health, one per second. */
  readonly health: readonly HealthSample[];
  /** Sends no probes to this partition, because it is meant to be blocked. */
  leaveOut(topic: string, partition: number): void;
  putBack(topic: string, partition: number): void;
  /** Runs work during which probes of these kinds cannot be sent or would prove nothing. */
  without<T>(probed: readonly Probed[], work: () => Promise<T>): Promise<T>;
  /** Resolves when every probe succeeds in time for the first time; drops the earlier measurements. */
  untilUnderWay(): Promise<void>;
  /**
   * Waits for the current probes.
   * @throws AssertionError naming the probes above 2 s since the last call, if there are several or one is above 10 s
   */
  assertNothingStood(): Promise<void>;
  /** The probes of each kind since the start, those above 2 s and the slowest. */
  table(): ReturnType<Observations['table']>;
  stop(): Promise<void>;
}

/** @param patients the patients of the probes, in turn: probes of one patient would queue for it */
export function startWatch(stack: TestStack, producer: RawProducer, patients: readonly number[]): Watch {
  const { api, health: healthUrl, tokens } = stack.describe();
  const stopping = new AbortController();
  const leftOut = new Set<string>();
  const suspended = new Set<Probed>();
  const under = new Set<Promise<void>>();
  const observations = new Observations();
  const health: HealthSample[] = [];
  const expected = new Map<string, () => void>();
  const seen = new Set<string>();
  let round = 0;
  let turn = 0;

  const arrived = (ids: readonly string[]) => {
    for (const id of ids) {
      seen.add(id);
      expected.get(id)?.();
    }
  };
  const listen = (collection: Query) =>
    collection.onSnapshot(
      (snapshot) =>
        arrived(
          snapshot
            .docChanges()
            // A therapist's event is stored when it is begun, and again when it is complete.
            .filter(({ doc }) => doc.get('complete') !== false)
            .map(({ doc }) => String(doc.get('event_id') ?? doc.id)),
        ),
      () => undefined,
    );
  const unsubscribe = [
    listen(stack.db.collectionGroup('communication')),
    ...['applied_events', 'imports', 'controls'].map((name) => listen(stack.db.collection(name))),
  ];

  /** Resolves when a document of this id has been stored in one of the collections listened to. */
  async function stored(id: string): Promise<void> {
    if (seen.has(id)) return;
    await new Promise<void>((resolve) => expected.set(id, resolve));
    expected.delete(id);
  }

  /** One probe at a time in each loop, so that probes do not slow down a slow machine; a blocked service still shows. */
  async function repeat(kind: Probed, everyMs: number, probe: Probe): Promise<void> {
    while (!stopping.signal.aborted) {
      if (!suspended.has(kind)) {
        const one = observe(kind, probe).finally(() => under.delete(one));
        under.add(one);
        await one;
      }
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  async function observe(kind: Probed, probe: Probe): Promise<void> {
    let at = Date.now();
    const outcome = await Promise.race([
      probe(() => (at = Date.now())).then(
        (what) => ({ what: what ?? kind, failed: false }),
        (error: unknown) => ({ what: `${kind}: ${String(error)}`, failed: true }),
      ),
      sleep(GIVEN_UP_MS, { what: kind, failed: false }, { ref: false }),
    ]);
    const tookMs = outcome.failed ? Number.POSITIVE_INFINITY : Date.now() - at;
    // Ignore a probe that was suspended in the meantime.
    if (suspended.has(kind) || stopping.signal.aborted) return;
    observations.probe(kind, outcome.what, { at, tookMs });
  }

  const openPartitions = (topic: string) =>
    PARTITIONS.filter((partition) => !leftOut.has(`${topic}/${partition}`));

  /** @returns the partition, for the report */
  async function send(
    topic: string,
    event: { readonly eventId: string },
    handedOver: () => void,
  ): Promise<string> {
    const open = openPartitions(topic);
    round += 1;
    const partition = open[round % open.length]!;
    const effect = stored(event.eventId);
    await producer.produce(topic, partition, [{ key: `probe-${round}`, value: JSON.stringify(event) }]);
    handedOver();
    await effect;
    return `${topic} partition ${partition}`;
  }

  /** A round trip to Firestore without the service. */
  async function control(): Promise<void> {
    const at = Date.now();
    const id = randomUUID();
    const back = stored(id);
    await stack.db.doc(`controls/${id}`).set({ at });
    await back;
    observations.control({ at, tookMs: Date.now() - at });
  }

  const nextPatient = () => patients[(turn += 1) % patients.length]!;
  let controlling: Promise<void> = Promise.resolve();

  async function getPatient(): Promise<void> {
    const headers = { authorization: `Bearer ${tokens.reader}` };
    const answer = await fetch(`${api}/api/patients/${nextPatient()}`, { headers });
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
  }

  async function importFile(handedOver: () => void): Promise<void> {
    const name = `incoming/${randomUUID()}.json`;
    const file = stack.bucket.file(name);
    await file.save(JSON.stringify(aRegistration({ email: null })), { resumable: false });
    handedOver();
    await stored(recordIdOf(stack.bucket.name, name, String(file.metadata.generation)));
  }

  const loops = [
    (async () => {
      while (!stopping.signal.aborted) {
        // Firestore is too busy to answer the control write.
        controlling = control().catch(() => undefined);
        await controlling;
        await sleep(300, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    })(),
    repeat('communication-events', 300, (handedOver) =>
      send('communication-events', aMailTo(nextPatient()), handedOver),
    ),
    repeat('therapist-events', 300, (handedOver) => {
      // Among events of one therapist, an older one could be outdated by a newer one.
      const payload = { therapist_id: 1_900_000_000 + round, therapist_data: {} };
      return send('therapist-events', aForeignEvent('therapist.blocked', payload), handedOver);
    }),
    // Two loops for each function, so that two probes meet whatever blocks it.
    repeat('GET a patient', 600, getPatient),
    repeat('GET a patient', 600, getPatient),
    repeat('an import', 4_000, importFile),
    repeat('an import', 4_000, importFile),
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
        // Do not judge probes that were sent before.
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
        for (const kind of kinds) expect(observations.isFast(kind), kind).toBe(true);
      }, UNDER_WAY_WITHIN_MS);
      observations.forget();
    },
    async assertNothingStood() {
      await Promise.all(under);
      // A control that has not ended yet may be the one that shows how slow the machine was.
      await controlling;
      expect(observations.delayed().join('\n'), 'probes that were delayed').toBe('');
    },
    table: () => observations.table(),
    async stop() {
      stopping.abort();
      await Promise.all(loops);
      for (const end of unsubscribe) end();
    },
  };
}
