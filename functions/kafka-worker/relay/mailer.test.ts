import { DocumentReference } from '@google-cloud/firestore';
import { afterEach, expect, it, vi } from 'vitest';
import { BY_ADMIN } from '../../../test/support/builders.ts';
import { aMail, relayWorld } from '../../../test/support/relay-world.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { testLog } from '../../../test/support/kafka.ts';
import { systemClock } from '../../../shared/platform/system-clock.ts';
import { patientId } from '../../../shared/patient/schema.ts';
import { announceErasure, beginErasure } from '../../../shared/store/erasures.ts';
import { addMail } from '../../../shared/store/outbox.ts';
import { claimMail, readMails } from '../../../shared/store/outbox-mails.ts';
import { createBell, type Bell } from './bell.ts';
import { createJournal } from './journal.ts';
import { sendMails } from './mailer.ts';

const over: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of over.splice(0)) await end();
});

/**
 * A worker that believes it leads, as one does that was paused. No listener wakes it.
 * @returns the bell that wakes it
 */
function aMailer({ db, communication }: Awaited<ReturnType<typeof relayWorld>>): Bell {
  const ended = new AbortController();
  const term = {
    signal: ended.signal,
    isHeld: () => !ended.signal.aborted,
    resign: () => ended.abort(),
    unsettledForMs: undefined,
  };
  const deps = { db, communicationUrl: communication.url, clock: systemClock, log: testLog() };
  const bell = createBell();
  const done = sendMails(deps, term, bell, { isCalm: () => true }, createJournal());
  over.unshift(async () => {
    ended.abort();
    await done;
  });
  return bell;
}

it('sends each mail once although two workers send at once', async () => {
  const world = await relayWorld();
  over.push(() => world.close());
  for (let n = 0; n < 40; n += 1) await world.mail(aMail(`mail-${n}`));

  aMailer(world);
  aMailer(world);
  await eventually(async () => expect(await world.waiting()).toBe(0));

  const keys = world.communication.requests.map(({ key }) => key);
  expect(keys).toHaveLength(40);
  expect(new Set(keys).size).toBe(40);
});

it('sends a mail whose sender died when the claim has expired, and not before', async () => {
  const world = await relayWorld();
  over.push(() => world.close());
  await world.mail(aMail('orphan'));
  const [mail] = await readMails(world.db, 1);
  const expiresAt = systemClock().add({ seconds: 3 });
  await claimMail(mail!, expiresAt);

  aMailer(world);
  await eventually(() => expect(world.communication.keys()).toEqual(['orphan']));

  expect(systemClock().epochMilliseconds).toBeGreaterThanOrEqual(expiresAt.epochMilliseconds);
});

it('sends what was not accepted again when it is due, and what came meanwhile with it', async () => {
  const world = await relayWorld();
  over.push(() => world.close());
  await world.communication.fail(500, 1);
  await world.mail(aMail('first'));
  aMailer(world);
  await eventually(() => expect(world.communication.requests).toHaveLength(1));
  await world.mail(aMail('second'));

  await eventually(() => expect(world.communication.keys().toSorted()).toEqual(['first', 'second']));
});

it('sends no mail of a patient whose erasure began between the claim and the request', async () => {
  const world = await relayWorld();
  over.push(() => world.close());
  await world.register(1);
  const batch = world.db.batch();
  addMail(world.db, batch, aMail('confirmation'), patientId.parse(1));
  await batch.commit();
  // The mailer looks at its claim once more: the erasure commits right before.
  const look = vi.spyOn(DocumentReference.prototype, 'get').mockImplementationOnce(async function (
    this: DocumentReference,
  ) {
    await beginErasure(world.db, patientId.parse(1), systemClock(), BY_ADMIN);
    return this.get();
  });
  over.push(async () => look.mockRestore());

  const bell = aMailer(world);
  await eventually(() => expect(look).toHaveBeenCalled());
  await world.mail(aMail('another'));
  // The mailer may have looked through the outbox before this mail was in it.
  bell.ring();
  await eventually(() => expect(world.communication.keys()).toEqual(['another']));

  expect(world.communication.requests.map(({ key }) => key)).toEqual(['another']);
});

it('lets an erasure wait with patient.deleted until the claims of its mails have expired', async () => {
  const world = await relayWorld();
  over.push(() => world.close());
  await world.register(1);
  const batch = world.db.batch();
  addMail(world.db, batch, aMail('confirmation'), patientId.parse(1));
  await batch.commit();
  const [mail] = await readMails(world.db, 1);
  const expiresAt = systemClock().add({ seconds: 20 });
  await claimMail(mail!, expiresAt);

  await beginErasure(world.db, patientId.parse(1), systemClock(), BY_ADMIN);
  await announceErasure(world.db, patientId.parse(1), systemClock());

  const { docs } = await world.db.collection('outbox').get();
  expect(docs.map((doc) => [doc.get('event_type'), doc.get('not_before').toMillis()])).toEqual([
    ['patient.deleted', expiresAt.epochMilliseconds],
  ]);
});
