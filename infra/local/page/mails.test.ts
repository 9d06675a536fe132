import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { openMailbox } from '../communication/mailbox.ts';
import { followMails } from './mails.ts';

it('counts a mail that one patient gets twice, and none that different patients get', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'mails-'));
  const ended = new AbortController();
  onTestFinished(async () => {
    ended.abort();
    await rm(dir, { recursive: true, force: true });
  });
  const mailbox = openMailbox(dir);
  const mails = followMails(join(dir, 'mails.jsonl'), ended.signal, () => undefined);
  const accept = (key: string, patient_id: number, betreff = 'Anmeldung') =>
    mailbox.accept('email', key, { patient_id, betreff });
  accept('a', 7);
  accept('a', 7);
  accept('b', 8);
  accept('c', 7, 'Vertrag');
  await eventually(() => expect(mails.count).toBe(3));
  expect(mails.doubled).toBe(0);
  accept('another key', 7);
  await eventually(() => expect(mails.doubled).toBe(1));
  expect(mails.of(7)).toHaveLength(3);
});
