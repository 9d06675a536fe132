import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { testLog } from '../../test/support/kafka.ts';
import { ServiceError } from '../platform/errors.ts';
import type { Marker } from '../platform/in-flight.ts';
import { SharedLock } from '../platform/shared-lock.ts';
import type { IncomingMessage } from './ports.ts';
import type { Failure } from './dead-letters.ts';
import { PartitionWork, type PartitionOptions } from './partition-work.ts';
import { CLAIM, DEADLY_TIMES } from './trial.ts';

function messages(keys: string, from = 0): IncomingMessage[] {
  return keys.split('').map((key, index) => ({
    topic: 'topic',
    partition: 0,
    offset: BigInt(from + index),
    timestamp: 0,
    key: Buffer.from(key),
    value: Buffer.from(`${key}${from + index}`),
    headers: {},
  }));
}

async function failAt(offset: bigint, at: bigint): Promise<void> {
  if (at === offset) throw new ServiceError('store.unavailable');
}

const suspect = (offset: bigint, times: number) => ({ offset, times });

function aPartition(overrides: Partial<PartitionOptions> = {}) {
  const handled: bigint[] = [];
  const progress: bigint[] = [];
  const raised: Marker[] = [];
  const dead: { offset: bigint; failure: Failure }[] = [];
  const partition = new PartitionWork({
    start: 0n,
    left: undefined,
    laneOf: ({ key }) => String(key),
    concurrency: 4,
    maxMessageBytes: 1_000,
    backoff: { firstMs: 1, lastMs: 5 },
    handle: async ({ offset }) => void handled.push(offset),
    deadLetter: async ({ offset }, failure) => void dead.push({ offset, failure }),
    raise: async (marker) => void raised.push(marker),
    lock: new SharedLock(),
    onProgress: (next) => progress.push(next),
    log: testLog(),
    ...overrides,
  });
  const until = async (condition: () => boolean) => {
    for (let n = 0; n < 5_000 && !condition(); n += 1) await sleep(2);
    expect(condition()).toBe(true);
  };
  const work = {
    accept: (messages: readonly IncomingMessage[], next = (messages.at(-1)?.offset ?? -1n) + 1n) =>
      partition.accept(messages, next),
    isWaiting: () => partition.isWaiting,
    suspicion: () => partition.suspicion,
    close: () => partition.close(),
  };
  return { work, handled, progress, raised, dead, until };
}

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

  it('repeats a transient fault in place while other keys go on', async () => {
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

  it('buries what fails for good, with its reason, and goes on', async () => {
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

  it('is not done with a dead letter before it is written', async () => {
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

  it('moves on over offsets without a message, as soon as what stands before them is done', async () => {
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

  it('finishes what is in work when it is closed, begins nothing more, and takes nothing more', async () => {
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

  it('hold the work back until they are stored', async () => {
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

  it('left by a dead process make each message noted before it is begun, at no loss of concurrency', async () => {
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

  it('bury the message that was being tried when too many processes died, and only that one', async () => {
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

  it('end the trial of a message that waits, and try it anew', async () => {
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

it('takes time in proportion to what one batch brings', async () => {
  const { work, progress, until } = aPartition({ concurrency: 8 });
  // A batch of tiny records packs so many into 1 MiB; in quadratic time this takes minutes.
  const many = messages('a'.repeat(100_000)).map((message, n) => ({
    ...message,
    key: n % 3 === 0 ? null : Buffer.from(String(n)),
  }));
  work.accept(many);
  await until(() => progress.at(-1) === 100_000n);
}, 60_000);
