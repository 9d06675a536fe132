/**
 * All functions at once while Firestore misbehaves: answers to commits are lost, calls are delayed, refused and aborted,
 * and listeners cut, by a seed. Meanwhile files are imported, patients created, changed and erased, mails sent and events
 * consumed. Afterwards the laws hold over all results.
 *
 * `FAULTS_SEED=4711 npm run test:faults -- firestore-faults` repeats the faults of a run; `FAULTS_COUNT=5000` makes it
 * longer.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPublisher, type Publisher } from '../../shared/kafka/publish.ts';
import { aRegistration } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { startFirestoreProxy, type FirestoreProxy } from '../support/firestore-proxy.ts';
import { assertNoGaps, assertRepeatsAreExact } from '../support/history.ts';
import { documents, objectNames } from '../support/import-world.ts';
import { readAll } from '../support/kafka.ts';
import { aForeignEvent, anEmailSent } from '../support/patients-world.ts';
import { everything, tracesOf } from '../support/person.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

const SEED = Number(process.env['FAULTS_SEED'] ?? randomInt(2 ** 31));
const LEAST_FAULTS = Number(process.env['FAULTS_COUNT'] ?? 500);
/** Shares of the calls to Firestore. */
const SHARE = 0.15;
const AT_ONCE = 4;

let proxy: FirestoreProxy;
let stack: TestStack;
let publisher: Publisher;
beforeAll(async () => {
  stack = await startTestStack({
    between: async (engines) => {
      proxy = await startFirestoreProxy(engines.firestore, SEED);
      return { ...engines, firestore: proxy.address };
    },
  });
  publisher = createPublisher(stack.kafka);
});
afterAll(async () => {
  await publisher.close();
  await stack.stop();
  await proxy.close();
});

/** Repeats a request while the API answers that a retry may help. */
async function insist(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const { api, tokens } = stack.describe();
  return eventually(async () => {
    const answer = await fetch(api + path, {
      method,
      headers: { authorization: `Bearer ${tokens.admin}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (answer.status === 503) throw new Error(`still 503: ${text}`);
    return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  }, 120_000);
}

interface Person {
  readonly nachname: string;
  readonly email: string;
}

const dropped: Person[] = [];
const created: number[] = [];
const erased: { readonly id: number; readonly nachname: string }[] = [];
const statuses = new Map<string, number>();

const count = (what: string, status: number) =>
  statuses.set(`${what} ${status}`, (statuses.get(`${what} ${status}`) ?? 0) + 1);

/** One person's story: a file or a POST, changes, contacts, and for every third person the erasure. */
async function live(n: number): Promise<void> {
  const nachname = `Stoerfall${letters(n)}`;
  const email = `${nachname.toLowerCase()}@example.org`;
  const file = stack.bucket.file(`incoming/${randomUUID()}.json`);
  const registration = JSON.stringify(aRegistration({ nachname, email }));
  await eventually(() => file.save(registration, { resumable: false }), 60_000);
  dropped.push({ nachname, email });

  const posted = { anrede: 'Frau', geschlecht: 'weiblich', vorname: 'Lena', nachname: `${nachname}api` };
  const answer = await insist('POST', '/api/patients', posted, { 'idempotency-key': randomUUID() });
  count('POST', answer.status);
  const id = Number(answer.body['id']);
  created.push(id);
  const path = `/api/patients/${id}`;
  for (const round of ['A', 'B']) {
    const { status } = await insist('PATCH', path, { hausarzt: `Dr. ${nachname}${round}` });
    count('PATCH', status);
  }
  const messages = [
    { topic: 'communication-events', key: `mail-${n}`, value: JSON.stringify(anEmailSent(id)) },
    {
      topic: 'therapist-events',
      key: '7',
      value: JSON.stringify(
        aForeignEvent(n % 2 === 0 ? 'therapist.blocked' : 'therapist.unblocked', { therapist_id: 7 }),
      ),
    },
  ];
  // A producer that has just started may find no leader yet, and does not retry by itself.
  await eventually(() => publisher.publish(messages), 60_000);
  if (n % 3 !== 0) return;
  const { status } = await insist('DELETE', path);
  // 404: an earlier attempt erased the patient, and its answer was lost.
  expect([204, 404]).toContain(status);
  erased.push({ id, nachname: `${nachname}api` });
  const imported = await stack.db.collection('patients').where('nachname', '==', nachname).get();
  for (const doc of imported.docs) {
    await insist('DELETE', `/api/patients/${doc.id}`);
    erased.push({ id: Number(doc.id), nachname });
  }
}

/** Names hold letters only. */
const letters = (n: number) => String(n).replaceAll(/\d/g, (digit) => 'abcdefghij'.charAt(Number(digit)));

const dealt = () => Object.values(proxy.dealt).reduce((sum, number) => sum + number, 0);

it(`holds every law after ${LEAST_FAULTS} faults of Firestore`, { timeout: 900_000 }, async () => {
  console.log(`FAULTS_SEED=${SEED}`);
  proxy.disturb(SHARE);
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (dealt() < LEAST_FAULTS) await live((next += 1));
    }),
  );
  proxy.disturb(0);
  console.log(
    `${next} persons, faults: ${JSON.stringify(proxy.dealt)}, answers: ${JSON.stringify(Object.fromEntries(statuses))}`,
  );

  await eventually(async () => {
    expect((await objectNames(stack.bucket)).filter((name) => name.startsWith('incoming/'))).toEqual([]);
    expect(await documents(stack.db, 'outbox')).toEqual([]);
    expect(await documents(stack.db, 'erasures')).toEqual([]);
  }, 300_000);
  // The last consumed event may still cause an event.
  await sleep(2_000);
  await eventually(async () => expect(await documents(stack.db, 'outbox')).toEqual([]), 60_000);

  const messages = await readAll(stack.kafka, 'patient-events');
  const history = messages.map(({ key, value }) => ({ key: String(key), value: String(value) }));
  assertNoGaps(history);
  assertRepeatsAreExact(history);
  const events = messages.map((message) => ({
    at: message.timestamp,
    ...(JSON.parse(String(message.value)) as {
      eventId: string;
      eventType: string;
      payload: { patient_id: number; patient_data?: { nachname: string; hausarzt: string | null } };
    }),
  }));

  // One file gives one patient, and so does one POST. Some erasures come before the patient's events were sent.
  const creations = Map.groupBy(
    events.filter(({ eventType }) => eventType === 'patient.created'),
    ({ payload }) => payload.patient_data?.nachname ?? '',
  );
  for (const [nachname, entries] of creations) {
    expect(new Set(entries.map(({ eventId }) => eventId)).size, `created events of ${nachname}`).toBe(1);
  }
  const living = await documents(stack.db, 'patients');
  const gone = new Set(erased.map(({ nachname }) => nachname));
  for (const { nachname } of dropped) {
    const found = living.filter((patient) => patient['nachname'] === nachname).length;
    expect(found, `patients named ${nachname}`).toBe(gone.has(nachname) ? 0 : 1);
  }

  // patient.deleted is the last event.
  for (const { id } of erased) {
    const types = events.filter(({ payload }) => payload.patient_id === id).map(({ eventType }) => eventType);
    const first = types.indexOf('patient.deleted');
    expect(first, `patient.deleted of ${id}`).toBeGreaterThanOrEqual(0);
    expect(new Set(types.slice(first)), `after the erasure of ${id}`).toEqual(new Set(['patient.deleted']));
  }

  // One mail per cause, and none after the erasure.
  const { communication } = stack.describe();
  const answer = await fetch(`${communication}/api/emails?limit=1000`);
  const { data: mails } = (await answer.json()) as {
    data: { empfaenger_email: string; patient_id: number; received_at: string }[];
  };
  for (const { email, nachname } of dropped) {
    const sent = mails.filter((mail) => mail.empfaenger_email === email);
    if (gone.has(nachname)) expect(sent.length, email).toBeLessThanOrEqual(1);
    else expect(sent.length, email).toBe(1);
  }
  for (const { id } of erased) {
    const deletedAt = events.find(
      ({ eventType, payload }) => eventType === 'patient.deleted' && payload.patient_id === id,
    )!.at;
    for (const mail of mails.filter(({ patient_id }) => patient_id === id)) {
      expect(Date.parse(mail.received_at), `a mail to ${id}`).toBeLessThanOrEqual(deletedAt);
    }
  }

  // One audit entry for each change.
  // Read before the log: an entry that waits is logged and removed at some time.
  const waiting = (await stack.db.collection('audit_trail').get()).docs.map(
    (doc) => [doc.id, `${doc.get('method') as string} ${doc.get('patientId') as number}`] as const,
  );
  const logs = await stack.logs();
  const logged = logs
    .split('\n')
    .filter((line) => line.includes('"message":"audit"'))
    .map((line) => JSON.parse(line) as { audit_id: string; patient_id: number; method: string })
    .map(({ audit_id, patient_id, method }) => [audit_id, `${method} ${patient_id}`] as const);
  const audited = Map.groupBy(new Map([...logged, ...waiting]).values(), (what) => what);
  const idsGone = new Set(erased.map(({ id }) => id));
  for (const id of created) {
    expect(audited.get(`POST ${id}`)?.length, `audit entries of POST ${id}`).toBe(1);
    if (idsGone.has(id)) continue;
    const doctors = new Set(
      events
        .filter(({ payload }) => payload.patient_id === id)
        .flatMap(({ payload }) => payload.patient_data?.hausarzt ?? []),
    );
    expect(audited.get(`PATCH ${id}`)?.length, `audit entries of PATCH ${id}`).toBe(doctors.size);
    expect(doctors.size).toBe(2);
  }

  // No data of an erased person remains, and no log names a person.
  const found = await everything(stack.db, stack.bucket);
  expect(
    tracesOf(
      [...gone].map((nachname) => `"${nachname}"`),
      found,
    ),
  ).toEqual([]);
  expect(logs).not.toMatch(/Stoerfall|stoerfall/);
});
