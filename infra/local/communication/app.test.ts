import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { communicationApp } from './app.ts';
import { openMailbox, type StoredMail } from './mailbox.ts';

const mail = {
  patient_id: 7,
  betreff: 'Anmeldung',
  inhalt_markdown: 'Guten Tag',
  empfaenger_email: 'lena@example.org',
  empfaenger_name: 'Lena Beispiel',
  absender_email: 'platzsuche@example.org',
  absender_name: 'Platzsuche',
  add_legal_footer: true,
  status: 'In_Warteschlange',
};

let dir: string;
let accepted: StoredMail[];
let app: ReturnType<typeof communicationApp>;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mailbox-'));
  accepted = [];
  app = communicationApp(openMailbox(dir), (stored) => accepted.push(stored));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const post = (body: object, key?: string) =>
  app.request('/api/emails', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
    body: JSON.stringify(body),
  });
const listed = async () =>
  ((await (await app.request('/api/emails?limit=1000')).json()) as { data: object[] }).data;

it('answers a repeated key like the first request, and keeps one mail', async () => {
  const [first, again] = [await post(mail, 'cause'), await post(mail, 'cause')];
  expect([first.status, again.status]).toEqual([201, 201]);
  expect(await again.json()).toEqual(await first.json());
  expect(await listed()).toHaveLength(1);
  expect(accepted).toHaveLength(1);
});

it('keeps two mails with two keys, newest first', async () => {
  await post(mail, 'one');
  await post(mail, 'two');
  expect(await listed()).toMatchObject([{ key: 'two' }, { key: 'one' }]);
});

it('keeps mail and key over a restart', async () => {
  await post(mail, 'cause');
  app = communicationApp(openMailbox(dir), (stored) => accepted.push(stored));
  await post(mail, 'cause');
  expect(await listed()).toHaveLength(1);
});

it('accepts every address that a patient may have, with its domain in ASCII', async () => {
  expect((await post({ ...mail, empfaenger_email: "o'@xn--e1afmkfd.xn--p1ai" })).status).toBe(201);
});

it('refuses a mail of another shape', async () => {
  expect((await post({ ...mail, empfaenger_email: 'nobody' })).status).toBe(422);
  expect((await post({ ...mail, unknown: 1 })).status).toBe(422);
  expect(await listed()).toHaveLength(0);
});

it('fails the requested number of times', async () => {
  await app.request('/faults', { method: 'POST', body: JSON.stringify({ status: 503, count: 2 }) });
  const statuses = [await post(mail), await post(mail), await post(mail)].map(({ status }) => status);
  expect(statuses).toEqual([503, 503, 201]);
});
