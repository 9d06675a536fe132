import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { aPartition, messages, suspect } from '../../test/support/partition.ts';
import { ServiceError } from '../platform/errors.ts';
import { SharedLock } from '../platform/shared-lock.ts';
import type { IncomingMessage } from './ports.ts';
import { CLAIM, DEADLY_TIMES } from './trial.ts';

async function failAt(offset: bigint, at: bigint): Promise<void> {
  if (at === offset) throw new ServiceError('store.unavailable');
}

describe('markers', () => {
  it('are raised once for many messages, before the first of them is begun', async () => {
    const log: string[] = [];
    const { work, progress, until } = aPartition({
      raise: async ({ until }) => void log.push(`raise ${until}`),
      handle: async ({ offset }) => void log.push(`handle ${offset}`),
    });
    work.accept(messages('abc'));
    await until(() => progress.at(-1) === 3n);
    expect(log[0]).toBe(`raise ${CLAIM}`);
    expect(log.slice(1).sort()).toEqual(['handle 0', 'handle 1', 'handle 2']);
  });

  it('delay the work until they are stored', async () => {
    let broken = true;
    const { work, handled, progress, until } = aPartition({
      raise: async () => {
        if (broken) throw new ServiceError('store.unavailable');
      },
    });
    work.accept(messages('abc'));
    await sleep(30);
    expect(handled).toEqual([]);
    broken = false;
    await until(() => progress.at(-1) === 3n);
  });

  it('left by a dead process cause each message to be noted before it starts, without less concurrency', async () => {
    let noted: readonly bigint[] = [];
    let running = 0;
    let together = 0;
    const { work, raised, progress, until } = aPartition({
      left: { until: 6n, suspects: [] },
      raise: async (marker) => {
        await sleep(2);
        raised.push(marker);
        noted = marker.inWork?.offsets ?? [];
      },
      handle: async ({ offset }) => {
        if (offset < 6n) expect(noted).toContain(offset);
        running += 1;
        together = Math.max(together, running);
        await sleep(5);
        running -= 1;
      },
    });
    work.accept(messages('abcdefghijkl'));
    await until(() => progress.at(-1) === 12n);
    expect(together).toBe(4);
    // Far fewer markers than messages, the last of them a claim as in a quiet time.
    expect(raised.length).toBeLessThan(10);
    expect(raised.at(-1)!.inWork).toBeUndefined();
    expect(work.suspicion()).toBeUndefined();
  });

  it('try suspects alone in the whole process, others together', async () => {
    const lock = new SharedLock();
    let running = 0;
    const alone: bigint[] = [];
    const handle = async ({ offset }: IncomingMessage) => {
      running += 1;
      await sleep(3);
      if (running === 1) alone.push(offset);
      else expect([1n, 2n]).not.toContain(offset);
      running -= 1;
    };
    const suspects = [suspect(1n, 0), suspect(2n, 1)];
    const first = aPartition({ left: { until: 4n, suspects }, handle, lock });
    const other = aPartition({ handle, lock });
    first.work.accept(messages('abcd'));
    other.work.accept(messages('efgh').map((message) => ({ ...message, offset: message.offset + 100n })));
    await first.until(() => first.progress.at(-1) === 4n);
    await other.until(() => other.progress.at(-1) === 104n);
    expect(alone).toEqual(expect.arrayContaining([1n, 2n]));
    const trials = first.raised.filter(({ inWork }) => inWork?.alone === true);
    expect(trials.map(({ inWork }) => inWork?.offsets)).toEqual([[1n], [2n]]);
    // The marker of a trial does not outlast it.
    expect(first.raised[first.raised.indexOf(trials[0]!) + 1]?.inWork?.offsets).toEqual([]);
  });

  it('make the message that was tried when too many processes died a dead letter, and no other', async () => {
    const { work, handled, dead, progress, until } = aPartition({
      left: { until: 3n, suspects: [suspect(1n, DEADLY_TIMES), suspect(2n, 1)] },
    });
    work.accept(messages('abc'));
    await until(() => progress.at(-1) === 3n);
    expect(handled).toEqual([0n, 2n]);
    expect(dead).toMatchObject([
      { offset: 1n, failure: { code: 'event.process_killer', attempts: DEADLY_TIMES } },
    ]);
  });

  it('remain suspects until they are done, also when the work is closed before', async () => {
    const left = { until: 3n, suspects: [suspect(2n, 2)] };
    const first = aPartition({
      left,
      handle: ({ offset }) => failAt(2n, offset),
    });
    first.work.accept(messages('abc'));
    await first.until(() => first.progress.at(-1) === 2n);
    await first.work.close();
    expect(first.work.suspicion()).toEqual(left);

    const second = aPartition({ start: 2n, left: first.work.suspicion() });
    second.work.accept(messages('c', 2));
    await second.until(() => second.progress.at(-1) === 3n);
    expect(second.work.suspicion()).toBeUndefined();
  });

  it('end the trial of a message that waits, and start it again later', async () => {
    let faults = 1;
    const { work, raised, progress, until } = aPartition({
      left: { until: 1n, suspects: [suspect(0n, 1)] },
      handle: async () => {
        if (faults-- > 0) throw new ServiceError('store.unavailable');
      },
    });
    work.accept(messages('a'));
    await until(() => progress.at(-1) === 1n);
    expect(raised.map(({ inWork }) => inWork?.offsets)).toEqual([[0n], [], [0n], []]);
  });
});
