import { Temporal } from 'temporal-polyfill';
import { afterEach, expect, it } from 'vitest';
import { aMail, relayWorld } from '../../../test/support/relay-world.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { testLog } from '../../../test/support/kafka.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { claimMail, readDueMails } from '../../../shared/store/outbox.ts';
import { createBell } from './bell.ts';
import { createJournal } from './journal.ts';
import { sendMails } from './mailer.ts';

const over: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of over.splice(0)) await end();
});

/** A worker that believes to lead, as one does that was paused. */
function aMailer({ db, communication }: Awaited<ReturnType<typeof relayWorld>>, clock = systemClock): void {
  const ended = new AbortController();
  const term = { signal: ended.signal, isHeld: () => !ended.signal.aborted };
  const deps = { db, communicationUrl: communication.url, clock, log: testLog() };
  const done = sendMails(deps, term, createBell(), () => 0, createJournal());
  over.unshift(async () => {
    ended.abort();
    await done;
  });
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
  const claimedAt = systemClock();
  const [mail] = await eventually(async () => {
    const due = await readDueMails(world.db, claimedAt.add({ seconds: 1 }), 1);
    expect(due).toHaveLength(1);
    return due;
  });
  await claimMail(mail!, claimedAt.add({ seconds: 30 }));
  let shift = Temporal.Duration.from({ seconds: 0 });

  aMailer(world, () => systemClock().add(shift));
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(world.communication.requests).toEqual([]);

  shift = Temporal.Duration.from({ seconds: 30 });
  await eventually(() => expect(world.communication.keys()).toEqual(['orphan']));
});
