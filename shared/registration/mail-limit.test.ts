/** How many mails a stranger can make the service send to one address. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aRegistration } from '../../test/support/builders.ts';
import { repeatNextCommit } from '../../test/support/lost-answer.ts';
import { documents, importWorld } from '../../test/support/import-world.ts';
import { isServiceError } from '../platform/errors.ts';
import { addCount, readCount, STAFF_NOTICES } from '../store/mail-counts.ts';
import type { FinalizedObject } from './bucket.ts';
import { importObject } from './import-object.ts';

let world: Awaited<ReturnType<typeof importWorld>>;
beforeEach(async () => {
  world = await importWorld();
});

afterEach(() => vi.restoreAllMocks());

async function mails(path: string) {
  const entries = await documents(world.db, 'outbox');
  return entries.filter((entry) => entry['path'] === path).map((entry) => String(entry['body']));
}
const confirmations = () => mails('/api/emails');
const notices = () => mails('/api/system-messages');

const drop = (email: string) => world.drop(aRegistration({ email }));

async function importEach(...emails: string[]): Promise<void> {
  for (const email of emails) expect(await importUntilDone(await drop(email))).toBe('imported');
}

const times = (count: number, email: string) => Array<string>(count).fill(email);

describe('the confirmation mails of one address', () => {
  it('are at most three a day; further registrations are stored, and staff are told once', async () => {
    await importEach('Opfer@example.org', 'opfer@EXAMPLE.org', 'opfer+1@example.org', 'opfer@example.org');
    await importEach('opfer@example.org', 'andere@example.org');
    expect(await documents(world.db, 'patients')).toHaveLength(6);
    expect(await confirmations()).toHaveLength(4);
    const told = await notices();
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/Patient: \d+/);
    const counts = await documents(world.db, 'mail_counts');
    expect(JSON.stringify([told, world.logged, counts])).not.toMatch(/opfer|Beispiel|Lena/i);
  });

  it('are not withheld without a warning when the response to the registration was lost', async () => {
    await importEach(...times(3, 'opfer@example.org'));
    repeatNextCommit('/imports/');
    await importEach('opfer@example.org');
    expect(await documents(world.db, 'patients')).toHaveLength(4);
    expect(world.logged.filter((line) => line.includes('Confirmation mail withheld'))).toHaveLength(1);
  });

  it('are three for ten registrations at once', async () => {
    const objects = await Promise.all(times(10, 'opfer@example.org').map(drop));
    const outcomes = await Promise.all(objects.map(importUntilDone));
    expect(new Set(outcomes)).toEqual(new Set(['imported']));
    expect(await documents(world.db, 'patients')).toHaveLength(10);
    expect(await confirmations()).toHaveLength(3);
    expect(await notices()).toHaveLength(1);
  });

  it('count from zero again after 24 hours', async () => {
    await importEach(...times(4, 'opfer@example.org'));
    const { clock } = world.deps;
    world = { ...world, deps: { ...world.deps, clock: () => clock().add({ hours: 25 }) } };
    await importEach('opfer@example.org');
    expect(await confirmations()).toHaveLength(4);
    expect(await notices()).toHaveLength(1);
  });

  it('count once per file, however often it is delivered', async () => {
    const object = await drop('opfer@example.org');
    await Promise.all(Array.from({ length: 10 }, () => importObject(world.deps, object)));
    await importEach(...times(2, 'opfer@example.org'));
    expect(await confirmations()).toHaveLength(3);
    expect(await notices()).toEqual([]);
  });

  it('cause at most ten messages to staff a day, the last of which says so', async () => {
    const now = world.deps.clock();
    for (let told = 0; told < 9; told += 1) {
      const batch = world.db.batch();
      addCount(world.db, batch, await readCount(world.db, STAFF_NOTICES, now), now);
      await batch.commit();
    }
    await importEach(...times(4, 'zehnte@example.org'), ...times(4, 'elfte@example.org'));
    const told = await notices();
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('letzte Meldung dieser Art');
    expect(await documents(world.db, 'patients')).toHaveLength(8);
  });
});

/** Redelivers after contention, as the trigger does. */
async function importUntilDone(object: FinalizedObject): Promise<string> {
  for (let delivery = 1; ; delivery += 1) {
    try {
      return await importObject(world.deps, object);
    } catch (error) {
      if (delivery === 5 || !isServiceError(error, 'store.contention')) throw error;
    }
  }
}
