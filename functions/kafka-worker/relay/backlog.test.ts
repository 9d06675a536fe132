import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SHARDS } from '../../../shared/store/outbox.ts';
import { createBacklog, type Backlog } from './backlog.ts';

const shards = Array.from({ length: SHARDS }, (_, shard) => shard);

/** Whether those who wait for calm go on, and rightly so. */
async function isCalm(backlog: Backlog): Promise<boolean> {
  const calm = await Promise.race([backlog.calm().then(({ aborted }) => !aborted), setImmediate(false)]);
  expect(backlog.isCalm()).toBe(calm);
  return calm;
}

it('is calm only when every shard has caught up, also at the start', async () => {
  const backlog = createBacklog();
  for (const shard of shards) {
    expect(await isCalm(backlog)).toBe(false);
    backlog.caughtUp(shard);
  }
  expect(await isCalm(backlog)).toBe(true);
});

it('tells those who listen when a shard is behind, and waits for that one alone', async () => {
  const backlog = createBacklog();
  shards.forEach((shard) => backlog.caughtUp(shard));
  const stirred = await backlog.calm();
  backlog.behind(3);
  backlog.behind(3);
  expect(stirred.aborted).toBe(true);
  backlog.caughtUp(4);
  expect(await isCalm(backlog)).toBe(false);
  backlog.caughtUp(3);
  expect(await isCalm(backlog)).toBe(true);
});
