/**
 * Imports during faults: Kafka is down, the import function and the worker are killed repeatedly. Afterwards every file
 * has become one patient, one created event and one mail, and nothing is waiting.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { aRegistration, aToken } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { assertNoGaps, assertRepeatsAreExact } from '../support/history.ts';
import { documents, objectNames } from '../support/import-world.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stop());

let registrations: ReturnType<typeof aRegistration>[];
beforeEach(() => {
  // Each run has its own addresses, by which its mails are found.
  const run = aToken().slice(0, 8);
  registrations = Array.from({ length: 200 }, (_, n) => aRegistration({ email: `${run}.${n}@example.org` }));
});

async function drop(): Promise<void> {
  for (const registration of registrations) {
    const file = stack.bucket.file(`incoming/${registration.registration_token}.json`);
    await file.save(JSON.stringify(registration), { resumable: false });
  }
}

function send(method: string, path: string, body: object): Promise<Response> {
  const { api, tokens } = stack.describe();
  const headers = { authorization: `Bearer ${tokens.staff}`, 'content-type': 'application/json' };
  return fetch(api + path, { method, headers, body: JSON.stringify(body) });
}

async function imported(): Promise<string[]> {
  const references = new Set(registrations.map((one) => one.registration_token.slice(0, 8)));
  const patients = await documents(stack.db, 'patients');
  return patients.filter((one) => references.has(String(one['zahlungsreferenz']))).map((one) => one.id);
}

async function mails(): Promise<number> {
  const answer = await fetch(`${stack.describe().communication}/api/emails?limit=1000`);
  const { data } = (await answer.json()) as { data: { empfaenger_email: string }[] };
  const addresses = new Set(registrations.map((one) => one.patient_data['email']));
  return data.filter((mail) => addresses.has(mail.empfaenger_email)).length;
}

async function everyFileBecameOnePatient(): Promise<void> {
  await eventually(async () => {
    expect((await objectNames(stack.bucket)).filter((name) => !name.startsWith('processed/'))).toEqual([]);
    expect(await imported()).toHaveLength(registrations.length);
    expect(await documents(stack.db, 'outbox')).toEqual([]);
    expect(await mails()).toBe(registrations.length);
  }, 200_000);

  const history = await stack.history('patient-events');
  assertNoGaps(history);
  assertRepeatsAreExact(history);
  const created = new Map<string, Set<string>>();
  for (const { key, value } of history) {
    const { eventType, eventId } = JSON.parse(value) as { eventType: string; eventId: string };
    if (eventType === 'patient.created') created.set(key, (created.get(key) ?? new Set()).add(eventId));
  }
  for (const id of await imported()) expect(created.get(id)?.size, `created events of patient ${id}`).toBe(1);
}

it('continues while Kafka is down, and delivers every event once Kafka is back', async () => {
  await stack.part('kafka').stop();
  await drop();
  await eventually(async () => expect(await imported()).toHaveLength(registrations.length), 120_000);
  await eventually(async () => expect(await mails()).toBe(registrations.length), 120_000);
  const created = await send('POST', '/api/patients', {
    anrede: 'Frau',
    geschlecht: 'weiblich',
    vorname: 'Lena',
    nachname: 'Beispiel',
  });
  const { id } = (await created.json()) as { id: number };
  const changed = await send('PATCH', `/api/patients/${id}`, { hausarzt: 'Dr. Probe' });
  expect([created.status, changed.status]).toEqual([201, 200]);
  await stack.part('kafka').start();
  await everyFileBecameOnePatient();
  const ofPatient = (await stack.history('patient-events')).filter(({ key }) => key === String(id));
  const types = ofPatient.map(({ value }) => (JSON.parse(value) as { eventType: string }).eventType);
  expect([...new Set(types)]).toEqual(['patient.created', 'patient.updated']);
});

it('survives kill -9 of the worker and of the import function in mid-flow', async () => {
  const dropped = drop();
  for (let kill = 0; kill < 8; kill += 1) {
    await sleep(500 + Math.random() * 1500);
    await stack.part(kill % 2 === 0 ? 'import' : 'worker').kill();
  }
  await dropped;
  await everyFileBecameOnePatient();
});

it('leaves no value of any person in any log', async () => {
  const logs = await stack.logs();
  for (const value of ['Lena', '@example.org', 'Musterweg', '221000000'])
    expect(logs.includes(value), value).toBe(false);
});
