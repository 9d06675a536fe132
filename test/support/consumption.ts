/** A load of communication events with invalid messages and two kinds of duplicates, and the checks that must pass after it. */
import { expect } from 'vitest';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { eventually } from './eventually.ts';
import { runOpsHere } from './ops.ts';
import { anEmailSent } from './patients-world.ts';
import type { WorkerCorner } from './worker.ts';

export interface Load {
  readonly events: number;
  readonly patients: number;
  /** Messages per publication, and the pause after it. */
  readonly chunk: number;
  readonly pauseMs: number;
}

export interface Sent {
  /** The event ids of each patient, without duplicates. */
  readonly perPatient: ReadonlyMap<number, ReadonlySet<string>>;
  readonly poison: ReadonlySet<string>;
}

/** Registers patients 1 to `count`. */
export async function registerPatients(corner: WorkerCorner, count: number): Promise<void> {
  for (let id = 1; id <= count; id += 1) await corner.world.register(id);
}

/** Publishes the load: 1 % invalid, 5 % duplicates, 5 % again under new event ids. A failed publication is repeated, which adds duplicates. */
export async function publishLoad(corner: WorkerCorner, load: Load): Promise<Sent> {
  const publisher = createPublisher(corner.kafka.client);
  const perPatient = new Map<number, Set<string>>();
  const poison = new Set<string>();
  const messages: { topic: string; key: string; value: string }[] = [];
  const topic = corner.communicationEvents;
  for (let n = 0; n < load.events; n += 1) {
    const patient = 1 + (n % load.patients);
    const timestamp = new Date(Date.UTC(2026, 9, 1 + (n % 28))).toISOString();
    const event = anEmailSent(patient, { timestamp }, n);
    const value = JSON.stringify(event);
    messages.push({ topic, key: `mail-${n}`, value });
    perPatient.set(patient, (perPatient.get(patient) ?? new Set()).add(event.eventId));
    if (n % 20 === 0) messages.push({ topic, key: `mail-${n}`, value });
    if (n % 20 === 10)
      messages.push({ topic, key: `mail-${n}`, value: JSON.stringify(anEmailSent(patient, {}, String(n))) });
    if (n % 100 === 0) {
      poison.add(`poison ${n}`);
      messages.push({ topic, key: `mail-${n}`, value: `poison ${n}` });
    }
  }
  for (let from = 0; from < messages.length; from += load.chunk) {
    const chunk = messages.slice(from, from + load.chunk);
    await eventually(() => publisher.publish(chunk), 120_000);
    await new Promise((resolve) => setTimeout(resolve, load.pauseMs));
  }
  await publisher.close();
  return { perPatient, poison };
}

/**
 * Waits until everything is applied, then checks: each patient's history holds every event exactly once,
 * `letzter_kontakt` is the latest date, every invalid message is a dead letter, and Firestore and the topic agree.
 */
export async function expectApplied(corner: WorkerCorner, sent: Sent, withinMs: number): Promise<void> {
  const { world, kafka } = corner;
  const all = [...sent.perPatient.values()].reduce((sum, ids) => sum + ids.size, 0);
  await eventually(async () => {
    const letters = await kafka.read(`${corner.communicationEvents}.dlq`);
    const reasons = new Set(letters.map(({ headers }) => String(headers['dlq-error-class'])));
    const stored = await world.countHistory();
    expect({ stored, reasons }).toEqual({ stored: all, reasons: new Set(['event.not_json']) });
    expect(new Set(letters.map(({ value }) => String(value)))).toEqual(sent.poison);
  }, withinMs);
  const { docs } = await world.db.collectionGroup('communication').select('event_id').get();
  const stored = Map.groupBy(docs, (doc) => Number(doc.ref.parent.parent!.id));
  for (const [patient, ids] of sent.perPatient) {
    expect(new Set(stored.get(patient)?.map((doc) => doc.get('event_id')))).toEqual(ids);
  }
  await eventually(async () => {
    expect(await lag(corner)).toBe(0);
    const verified = await ops(corner, 'verify');
    expect({ code: verified.code, answer: verified.json() }).toMatchObject({
      code: 0,
      answer: { findings: 0, waiting: 0 },
    });
  }, 120_000);
  for (const patient of sent.perPatient.keys()) {
    const { docs } = await world.db.collection(`patients/${patient}/communication`).get();
    const latest = docs
      .map((doc) => (doc.get('occurred_at') as string).slice(0, 10))
      .sort()
      .at(-1);
    expect((await world.patient(patient)).letzter_kontakt).toBe(latest);
  }
}

async function lag(corner: WorkerCorner): Promise<number> {
  const rows = (await ops(corner, 'lag')).json() as { lag: number }[];
  return rows.reduce((sum, row) => sum + row.lag, 0);
}

function ops(corner: WorkerCorner, command: string) {
  return runOpsHere(corner.environment, `--json ${command}`);
}
