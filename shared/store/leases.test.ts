import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { connectFirestore } from './firestore.ts';
import { releaseLease, renewLease, takeLease } from './leases.ts';

const db = connectFirestore({ GOOGLE_CLOUD_PROJECT: `demo-${randomUUID().slice(0, 8)}` });
/** Expires in no test that is not about it. */
const TTL = 60_000;
const SHORT_TTL = 2_000;

it('has one winner however many ask at once', async () => {
  const asked = Array.from({ length: 8 }, (_, n) => takeLease(db, 'contested', `worker-${n}`, TTL));
  const won = (await Promise.all(asked)).filter((lease) => lease !== undefined);
  expect(won.map(({ epoch }) => epoch)).toEqual([1]);
});

it('stays with a holder who renews it', async () => {
  // On a busy machine a renewal may be seconds old when another asks.
  const ttl = 2 * SHORT_TTL;
  let lease = await takeLease(db, 'renewed', 'one', ttl);
  for (let n = 0; n < 3; n += 1) {
    await sleep(ttl * 0.4);
    lease = await renewLease(lease!);
    expect(await takeLease(db, 'renewed', 'two', ttl)).toBeUndefined();
  }
  expect(lease).toMatchObject({ epoch: 1 });
});

it('goes to another once it was not renewed in time, and the late holder learns of it', async () => {
  const late = await takeLease(db, 'late', 'one', SHORT_TTL);
  await sleep(SHORT_TTL + 50);
  expect(await takeLease(db, 'late', 'two', SHORT_TTL)).toMatchObject({ epoch: 2 });
  expect(await renewLease(late!)).toBeUndefined();
});

it('goes to another at once when it was released', async () => {
  const lease = await takeLease(db, 'released', 'one', TTL);
  await releaseLease(lease!, true);
  expect(await takeLease(db, 'released', 'two', TTL)).toMatchObject({ epoch: 2 });
  // A second release, by who is no longer the holder, takes nothing away.
  await releaseLease(lease!, true);
  expect(await takeLease(db, 'released', 'three', TTL)).toBeUndefined();
});

it('is taken again by a holder who does not know that it has it, and whose first holding is over then', async () => {
  const lease = await takeLease(db, 'unanswered', 'one', TTL);
  await renewLease(lease!);
  expect(await takeLease(db, 'unanswered', 'one', TTL)).toMatchObject({ epoch: 2 });
  expect(await renewLease(lease!)).toBeUndefined();
});

it('says for how long a holder is gone who left something unsettled, also after orderly holders', async () => {
  const first = await takeLease(db, 'unsettled', 'one', SHORT_TTL);
  expect(first).toMatchObject({ unsettledForMs: undefined });
  await releaseLease(first!, true);
  expect(await takeLease(db, 'unsettled', 'two', SHORT_TTL)).toMatchObject({ unsettledForMs: undefined });
  await sleep(SHORT_TTL + 50);

  const afterDeath = await takeLease(db, 'unsettled', 'three', SHORT_TTL);
  expect(afterDeath).toMatchObject({ unsettledForMs: 0 });
  await sleep(300);
  await releaseLease(afterDeath!, true);
  const afterOrder = await takeLease(db, 'unsettled', 'four', SHORT_TTL);
  expect(afterOrder!.unsettledForMs).toBeGreaterThanOrEqual(300);

  const doubtfulAt = performance.now();
  await releaseLease(afterOrder!, false);
  const afterDoubt = await takeLease(db, 'unsettled', 'five', SHORT_TTL);
  // Counted from this release: 300 ms less than from the death, whatever the two calls took.
  expect(afterDoubt!.unsettledForMs).toBeLessThan(performance.now() - doubtfulAt + 200);
});
