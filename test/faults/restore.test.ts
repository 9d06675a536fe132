/**
 * Restores a backup of the database beside a newer topic and bucket, on the whole local stack and by the emulator's own
 * export and import: nothing is sent before the fence opens, no number and no id is used twice, and erased patients stay
 * erased.
 */
import { cp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { NumberedEnvelope } from '../../shared/events/envelope.ts';
import { aRegistration } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { assertNoGaps, assertRepeatsAreExact } from '../support/history.ts';
import { everything, tracesOf } from '../support/person.ts';
import { opsOn } from '../support/ops.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

const PATIENTS = 7;

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
  await stack.part('scheduler').stop();
});
afterAll(() => stack?.stop());

async function api(method: string, path: string, body?: object): Promise<{ status: number; id: unknown }> {
  const { api, tokens } = stack.describe();
  const answer = await fetch(`${api}/api/patients${path}`, {
    method,
    headers: { authorization: `Bearer ${tokens.admin}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, id: text === '' ? undefined : (JSON.parse(text) as { id?: unknown }).id };
}

async function register(nachname: string): Promise<number> {
  const person = { anrede: 'Frau', geschlecht: 'weiblich', vorname: 'Lena', nachname };
  const { status, id } = await api('POST', '', person);
  expect(status).toBe(201);
  return Number(id);
}

async function change(id: number, hausarzt: string): Promise<void> {
  expect((await api('PATCH', `/${id}`, { hausarzt })).status).toBe(200);
}

async function drop(name: string, nachname: string): Promise<void> {
  const file = stack.bucket.file(`incoming/${name}`);
  await file.save(JSON.stringify(aRegistration({ nachname })), { resumable: false });
}

async function ops(...args: string[]): Promise<{ code: number; json: () => Record<string, unknown> }> {
  const { code, stdout } = await opsOn(stack)('--json', ...args).then(
    (stdout) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string }) => error,
  );
  return { code, json: () => JSON.parse(stdout) as Record<string, unknown> };
}

async function emptied(): Promise<void> {
  await eventually(async () =>
    expect((await stack.db.collection('outbox').count().get()).data().count).toBe(0),
  );
}

async function published(id?: number): Promise<NumberedEnvelope[]> {
  const history = await stack.history('patient-events');
  return history
    .filter(({ key }) => id === undefined || key === String(id))
    .map(({ value }) => JSON.parse(value) as NumberedEnvelope);
}

const everyPart = ['worker', 'api', 'import', 'health'] as const;
const folder = () => join(dirname(stack.dropFolder), 'data', 'firestore');

/** Stops the database, which makes the emulator export it, and keeps or restores that export. */
async function offline(work: (saved: string) => Promise<void>): Promise<void> {
  await Promise.all(everyPart.map((part) => stack.part(part).stop()));
  await stack.part('firestore').stop();
  await work(join(folder(), 'firestore'));
  await stack.part('firestore').start();
  await Promise.all(everyPart.map((part) => stack.part(part).start()));
}

it('uses no number and no id twice after restore, fence and release, and keeps erased patients erased', async () => {
  for (let n = 1; n <= PATIENTS; n += 1) expect(await register(`Vorher${n}x`)).toBe(n);
  for (let n = 2; n <= 4; n += 1) await change(7, `Dr. ${n}`);
  await emptied();
  await stack.db.collection('counters').doc('patient_id').set({ next: 1001 });
  const backup = join(folder(), 'backup');
  await offline((saved) => cp(saved, backup, { recursive: true }));

  // The backup lacks number 5, an erasure, and a registration with the next id.
  await change(7, 'Dr. 5');
  expect((await api('DELETE', '/3')).status).toBe(204);
  await drop('later.json', 'Nachher');
  await eventually(async () => expect(await published(1001)).toHaveLength(1));
  await emptied();
  await offline(async (saved) => {
    await rm(saved, { recursive: true });
    await cp(backup, saved, { recursive: true });
  });

  const before = (await published()).length;
  const health = await eventually(async () => {
    const answer = await fetch(`${stack.describe().health}/health`);
    const { checks } = (await answer.json()) as {
      checks: Record<string, { status: string; fenced?: boolean }>;
    };
    expect(checks['restore']).toMatchObject({ status: 'unhealthy', fenced: true });
    return answer;
  });
  expect(health.status).toBe(503);
  // The API works for existing patients, with numbers that were published already; a new patient gets no id.
  await change(7, 'Dr. Andere');
  const person = { anrede: 'Frau', geschlecht: 'weiblich', vorname: 'Lena', nachname: 'Zu früh' };
  expect((await api('POST', '', person)).status).toBe(503);
  await eventually(async () => expect(await stack.logs()).toContain('the database is a restored copy'));

  const rehearsal = await ops('restore', 'fence');
  expect(rehearsal.code).toBe(1);
  expect(rehearsal.json()).toMatchObject({
    applied: false,
    fence: 'mark_older',
    erased_again: '3',
    lost: '1001',
  });
  expect(await published()).toHaveLength(before);
  expect((await api('GET', '/3')).status).toBe(200);

  const applied = await ops('restore', 'fence', '--apply');
  expect(applied).toMatchObject({ code: 0 });
  expect(applied.json()).toMatchObject({ events_renumbered: 1, next_id: 11_002, lost: '1001' });
  expect((await ops('republish', '--all')).code).toBe(0);
  expect((await api('GET', '/3')).status).toBe(404);
  expect(tracesOf(['Vorher3x'], await everything(stack.db, stack.bucket))).toEqual([]);
  expect(await register('Danach')).toBe(11_002);
  await drop('danach.json', 'Nochmals');
  await emptied();

  const again = await ops('restore', 'fence');
  expect(again).toMatchObject({ code: 0 });
  expect(again.json()).toMatchObject({ fence: 'open', behind: 0, erased_again: '' });
  expect((await ops('verify')).code).toBe(0);
  const history = await stack.history('patient-events');
  assertNoGaps(history);
  assertRepeatsAreExact(history);
  const eventOf = new Map<string, string>();
  for (const { key, value } of history) {
    const { eventId, sequence } = JSON.parse(value) as NumberedEnvelope;
    expect(eventOf.get(`${key}.${sequence}`) ?? eventId).toBe(eventId);
    eventOf.set(`${key}.${sequence}`, eventId);
  }
  expect((await published(7)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect((await published(3)).map(({ eventType }) => eventType)).toEqual([
    'patient.created',
    'patient.deleted',
  ]);
});
