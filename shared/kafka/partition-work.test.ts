import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { testLog } from '../../test/support/kafka.ts';
import { aPartition, messages, suspect } from '../../test/support/partition.ts';
import { ServiceError } from '../platform/errors.ts';

describe('the work on a partition', () => {
  it('runs keys side by side and the messages of a key in order', async () => {
    const running = new Set<string>();
    const order = new Map<string, bigint[]>();
    let together = 0;
    const { work, progress, until } = aPartition({
      handle: async ({ key, offset }) => {
        const lane = String(key);
        expect(running.has(lane)).toBe(false);
        running.add(lane);
        together = Math.max(together, running.size);
        await sleep(5);
        order.set(lane, [...(order.get(lane) ?? []), offset]);
        running.delete(lane);
      },
    });

    work.accept(messages('abcabcaabb'));

    await until(() => progress.at(-1) === 10n);
    expect(order).toEqual(
      new Map([
        ['a', [0n, 3n, 6n, 7n]],
        ['b', [1n, 4n, 8n, 9n]],
        ['c', [2n, 5n]],
      ]),
    );
    expect(together).toBe(3);
  });

  it('reports only what is done without a gap', async () => {
    const slow = Promise.withResolvers<void>();
    const { work, progress, until } = aPartition({
      handle: ({ offset }) => (offset === 1n ? slow.promise : Promise.resolve()),
    });

    work.accept(messages('abcd'));
    await until(() => progress.length === 1);
    expect(progress).toEqual([1n]);

    slow.resolve();
    await until(() => progress.at(-1) === 4n);
  });

  it('retries after a transient fault while other keys continue', async () => {
    let faults = 3;
    const { work, handled, progress, until } = aPartition({
      handle: async ({ key, offset }) => {
        if (String(key) === 'a' && faults > 0) {
          faults -= 1;
          throw new ServiceError('store.unavailable');
        }
        handled.push(offset);
      },
    });

    work.accept(messages('aabb'));

    await until(() => progress.at(-1) === 4n);
    expect(handled).toEqual([2n, 3n, 0n, 1n]);
  });

  it('makes a message that fails permanently a dead letter with its reason, and continues', async () => {
    const { work, dead, progress, until } = aPartition({
      handle: async ({ offset }) => {
        if (offset === 0n) throw new ServiceError('event.invalid_payload');
        if (offset === 1n) throw new TypeError('a bug');
      },
    });

    work.accept([...messages('abc'), { ...messages('d', 3)[0]!, value: Buffer.alloc(1_001) }]);

    await until(() => progress.at(-1) === 4n);
    expect(dead.map(({ offset, failure: { code, attempts } }) => [offset, code, attempts]).sort()).toEqual([
      [0n, 'event.invalid_payload', 1],
      [1n, 'event.handler_failed', 1],
      [3n, 'event.too_large', 1],
    ]);
  });

  it('reports a message as done only after its dead letter is written', async () => {
    let broken = true;
    const { work, progress, until } = aPartition({
      handle: () => Promise.reject(new ServiceError('event.not_json')),
      deadLetter: async () => {
        if (broken) throw new ServiceError('kafka.unavailable');
      },
    });

    work.accept(messages('a'));
    await sleep(30);
    expect(progress).toEqual([]);
    expect(work.isWaiting()).toBe(true);

    broken = false;
    await until(() => progress.at(-1) === 1n);
  });

  it('ignores messages that it has taken before', async () => {
    const { work, handled, progress, until } = aPartition();
    work.accept(messages('abc'));
    work.accept(messages('bcd', 1));
    await until(() => progress.at(-1) === 4n);
    expect(handled.toSorted()).toEqual([0n, 1n, 2n, 3n]);
  });

  it('advances over offsets without a message as soon as the messages before them are done', async () => {
    const slow = Promise.withResolvers<void>();
    const { work, progress, until } = aPartition({ handle: () => slow.promise });
    work.accept([], 4n);
    expect(progress).toEqual([4n]);

    work.accept(messages('a', 4), 7n);
    await sleep(10);
    expect(progress).toEqual([4n]);
    slow.resolve();
    await until(() => progress.at(-1) === 7n);
    expect(work.accept([], 7n)).toBe(true);
    expect(progress).toEqual([4n, 7n]);
  });

  it('when closed, finishes the running messages, and neither starts nor accepts more', async () => {
    const slow = Promise.withResolvers<void>();
    const { work, handled, progress } = aPartition({
      concurrency: 1,
      handle: async ({ offset }) => {
        await slow.promise;
        handled.push(offset);
      },
    });
    work.accept(messages('ab'));
    await sleep(10);

    const closed = work.close();
    slow.resolve();
    await closed;

    expect(handled).toEqual([0n]);
    expect(progress).toEqual([1n]);
    expect(work.accept(messages('c', 2))).toBe(false);
  });

  it('stops waiting when it is closed', async () => {
    const { work } = aPartition({
      backoff: { firstMs: 60_000, lastMs: 60_000 },
      handle: () => Promise.reject(new ServiceError('store.unavailable')),
    });
    work.accept(messages('a'));
    await sleep(10);
    await work.close();
  });
});

describe('a fault that is no outage', () => {
  const fault = () => Promise.reject(new TypeError('planted'));
  const counted = (lines: readonly string[]) =>
    lines.filter((line) => line.includes('"errors":1')).map((line) => JSON.parse(line) as object);

  it.each([
    ['while the marker is raised', { raise: fault }],
    ['while a message is noted', { left: { until: 3n, suspects: [] }, raise: fault }],
    ['while a message is tried alone', { left: { until: 3n, suspects: [suspect(1n, 1)] }, raise: fault }],
  ] as const)('does not keep messages from their effect: %s', async (_, options) => {
    const lines: string[] = [];
    const { work, handled, progress, dead, until } = aPartition({ ...options, log: testLog(lines) });
    work.accept(messages('abc'));
    await until(() => progress.at(-1) === 3n);
    expect(handled.toSorted()).toEqual([0n, 1n, 2n]);
    expect(dead).toEqual([]);
    expect(counted(lines).length).toBeGreaterThan(0);
    expect(counted(lines).length).toBeLessThanOrEqual(6);
  });

  it('ends while a dead letter is written, counted', async () => {
    const lines: string[] = [];
    const { work, progress, until } = aPartition({
      handle: fault,
      deadLetter: fault,
      log: testLog(lines),
    });
    work.accept(messages('a'));
    await until(() => progress.at(-1) === 1n);
    expect(counted(lines)).toMatchObject([{ labels: { error_code: 'internal' } }]);
    expect(lines.join('')).toContain('A message is passed over');
  });

  it('and one that is an outage is waited for as before', async () => {
    let calls = 0;
    const lines: string[] = [];
    const { work, progress, until } = aPartition({
      raise: async () => {
        calls += 1;
        if (calls < 4) throw new ServiceError('store.unavailable');
      },
      log: testLog(lines),
    });
    work.accept(messages('a'));
    await until(() => progress.at(-1) === 1n);
    expect(calls).toBe(4);
    expect(counted(lines)).toEqual([]);
  });
});

it('takes time in proportion to the messages of one batch', async () => {
  const { work, progress, until } = aPartition({ concurrency: 8 });
  // A batch of tiny records packs so many into 1 MiB; in quadratic time this takes minutes.
  const many = messages('a'.repeat(100_000)).map((message, n) => ({
    ...message,
    key: n % 3 === 0 ? null : Buffer.from(String(n)),
  }));
  work.accept(many);
  await until(() => progress.at(-1) === 100_000n);
});
