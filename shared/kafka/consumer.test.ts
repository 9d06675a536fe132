import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { closing, createTopics, kafkaCorner, testLog } from '../../test/support/kafka.ts';
import { ServiceError } from '../platform/errors.ts';
import { runConsumer, type ConsumerOptions } from './consumer.ts';
import type { InFlight, Marker } from './in-flight.ts';
import { kafkaClient, type IncomingMessage } from './kafkajs.ts';
import { createPublisher } from './publish.ts';

const kafka = await kafkaCorner();

/** Markers in memory that outlive a consumer, as the store's outlive a process. */
function markers(board = new Map<number, Marker>()) {
  const own = new Set<number>();
  const inFlight: InFlight = {
    async raise({ partition }, marker) {
      own.add(partition);
      board.set(partition, marker);
    },
    async lower({ partition }) {
      if (own.delete(partition)) board.delete(partition);
    },
    left: async ({ partition }) => (own.has(partition) ? undefined : board.get(partition)),
    // Where the work does not end, the trial stays noted.
    async try({ partition }, offset, work) {
      const { until, suspects } = board.get(partition)!;
      const times = suspects.find((suspect) => suspect.offset === offset)?.times ?? 0;
      const others = suspects.filter((suspect) => suspect.offset !== offset);
      board.set(partition, { until, suspects: [...others, { offset, times: times + 1 }] });
      await work();
      board.set(partition, { until, suspects });
    },
  };
  return { board, inFlight };
}

function consuming(topic: string, overrides: Partial<ConsumerOptions> = {}) {
  const seen: string[] = [];
  const consumer = runConsumer({
    client: kafka.client,
    topic,
    group: `${topic}-group`,
    handle: async ({ value }) => void seen.push(String(value)),
    publisher: closing(createPublisher(kafka.client)),
    inFlight: markers().inFlight,
    log: testLog(),
    backoff: { firstMs: 20, lastMs: 200 },
    finishWithinMs: 1_000,
    ...overrides,
  });
  onTestFinished(() => consumer.stop());
  return { consumer, seen };
}

async function publish(topic: string, values: readonly (string | Buffer)[], keys = 10): Promise<void> {
  await closing(createPublisher(kafka.client)).publish(
    values.map((value, n) => ({ topic, key: String(n % keys), value })),
  );
}

async function eventually(condition: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${condition.toString()}`);
    await sleep(20);
  }
}

async function committed(topic: string): Promise<bigint> {
  const admin = await kafka.client.admin();
  const offsets = await admin.committed(`${topic}-group`, topic);
  await admin.close();
  return [...offsets.values()].reduce((sum, offset) => sum + offset, 0n);
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n));

describe('a consumer', () => {
  it('sees everything once, each key in order, and commits it', async () => {
    const topic = await kafka.topic('all');
    await publish(topic, numbers(500));

    const { consumer, seen } = consuming(topic);

    await eventually(() => seen.length >= 500);
    await eventually(async () => (await committed(topic)) === 500n);
    expect(seen.toSorted()).toEqual(numbers(500).toSorted());
    for (const key of Array.from({ length: 10 }, (_, n) => n)) {
      const ofKey = seen.map(Number).filter((n) => n % 10 === key);
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
    }
    expect(consumer.state()).toMatchObject({ connected: true, assigned: [0, 1, 2, 3, 4, 5], waiting: [] });
    expect(Date.now() - consumer.state().lastPollAt!).toBeLessThan(2_000);
  });

  it('goes on where it stopped', async () => {
    const topic = await kafka.topic('resume');
    await publish(topic, numbers(50));
    const first = consuming(topic);
    await eventually(() => first.seen.length >= 50);
    await first.consumer.stop();
    await publish(topic, ['next']);

    const second = consuming(topic);

    await eventually(() => second.seen.length > 0);
    expect(second.seen).toEqual(['next']);
  });

  it('does not let a stuck or slow partition slow the others', async () => {
    const topic = await kafka.topic('stuck', 3);
    const { consumer, seen } = consuming(topic, {
      handle: async ({ partition, value }) => {
        if (partition === 0) throw new ServiceError('store.unavailable');
        if (partition === 1) await sleep(600_000, undefined, { ref: false });
        seen.push(String(value));
      },
    });
    const to = (partition: number, count: number) =>
      numbers(count).map((value) => ({ topic, key: value, value, partition }));
    const publisher = closing(createPublisher(kafka.client));
    await publisher.publish([...to(0, 100), ...to(1, 100)]);
    await eventually(() => consumer.state().waiting.length > 0);

    const started = Date.now();
    for (const message of to(2, 20)) await publisher.publish([message]);
    await eventually(() => seen.length === 20);

    expect(Date.now() - started).toBeLessThan(2_000);
    expect(consumer.state().waiting).toEqual([0]);
  });

  it('commits nothing beyond a message that waits, and applies it when the fault has passed', async () => {
    const topic = await kafka.topic('transient', 1);
    let broken = true;
    const { seen } = consuming(topic, {
      handle: async ({ value }) => {
        if (broken && String(value) === '3') throw new ServiceError('store.unavailable');
        seen.push(String(value));
      },
    });
    await publish(topic, numbers(10));
    await eventually(() => seen.length === 9);
    await eventually(async () => (await committed(topic)) === 3n);

    broken = false;

    await eventually(async () => (await committed(topic)) === 10n);
    expect(seen).toHaveLength(10);
  });

  it('takes in no more of a partition than its buffer holds', async () => {
    const topic = await kafka.topic('flood', 1);
    await publish(
      topic,
      numbers(40).map(() => randomBytes(250_000)),
    );
    let begun = 0;
    const gate = Promise.withResolvers<void>();
    const { seen } = consuming(topic, {
      concurrency: 100,
      handle: async () => {
        begun += 1;
        await gate.promise;
        seen.push('');
      },
    });

    await eventually(() => begun > 0);
    await sleep(1_500);
    expect(begun).toBeLessThan(16);

    gate.resolve();
    await eventually(() => seen.length === 40);
  });

  it('puts poison into the dead letters with its bytes, its headers and the reason', async () => {
    const topic = await kafka.topic('poison', 1);
    const headers = { ce_id: 'a-1', traceparent: 'broken' };
    const poison = randomBytes(40);
    await closing(createPublisher(kafka.client)).publish([
      { topic, key: 'k', value: 'good' },
      { topic, key: 'k', value: poison, headers },
      { topic, key: 'k', value: randomBytes(700_000) },
      { topic, key: null, value: 'bug' },
      { topic, key: 'k', value: 'last' },
    ]);

    const { seen } = consuming(topic, {
      handle: async ({ value }) => {
        if (value?.equals(poison) === true) throw new ServiceError('event.not_json');
        if (String(value) === 'bug') throw new TypeError('secret detail');
        seen.push(String(value));
      },
    });

    await eventually(async () => (await committed(topic)) === 5n);
    expect(seen).toEqual(['good', 'last']);
    const letters = await kafka.read(`${topic}.dlq`);
    const byOffset = (offset: string) =>
      letters.find((l) => String(l.headers['dlq-origin-offset']) === offset)!;
    const text = ({ headers }: IncomingMessage) =>
      Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    expect(letters).toHaveLength(3);
    expect(byOffset('1')).toMatchObject({ key: Buffer.from('k'), value: poison });
    expect(text(byOffset('1'))).toEqual({
      ...headers,
      'dlq-origin-topic': topic,
      'dlq-origin-partition': '0',
      'dlq-origin-offset': '1',
      'dlq-error-class': 'event.not_json',
      'dlq-error-message': 'The message is not valid UTF-8 JSON',
      'dlq-attempts': '1',
      'dlq-failed-at': expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(text(byOffset('2'))['dlq-error-class']).toBe('event.too_large');
    expect(text(byOffset('3'))['dlq-error-message']).toBe(
      'The handler failed for a reason of its own (TypeError)',
    );
    expect(byOffset('3').key).toBeNull();
  });

  it('writes a dead letter without its value when it fits with its reason no more', async () => {
    const topic = await kafka.topic('brim', 1);
    const publisher = closing(createPublisher(kafka.client));
    await publisher.publish([{ topic, key: 'k', value: randomBytes(1_048_576 - 100) }]);

    consuming(topic);

    await eventually(async () => (await committed(topic)) === 1n);
    const [letter] = await kafka.read(`${topic}.dlq`);
    expect(letter).toMatchObject({ key: Buffer.from('k'), value: null });
    expect(String(letter!.headers['dlq-omitted-value-bytes'])).toBe('1048476');
  });

  it('stops within ten seconds although a handler hangs, and leaves its message to the next', async () => {
    const topic = await kafka.topic('hang', 1);
    await publish(topic, numbers(3));
    let begun = 0;
    const { consumer } = consuming(topic, {
      finishWithinMs: 6_000,
      handle: async () => {
        begun += 1;
        await sleep(60_000, undefined, { ref: false });
      },
    });
    await eventually(() => begun > 0);

    const started = Date.now();
    await consumer.stop();
    expect(Date.now() - started).toBeLessThan(10_000);

    const next = consuming(topic);
    await eventually(() => next.seen.length === 3);
  });

  it('starts before the topic exists, and consumes it once it does', async () => {
    const topic = `${kafka.prefix}late`;
    const { consumer, seen } = consuming(topic);
    await sleep(500);
    expect(consumer.state().connected).toBe(false);

    await createTopics(kafka.client, [topic]);
    await publish(topic, ['first']);

    await eventually(() => seen.length === 1);
  });

  it('starts without a broker and can be stopped before one is there', async () => {
    const nobody = kafkaClient({ ...kafka.config, KAFKA_BOOTSTRAP_SERVERS: ['127.0.0.1:9'] }, testLog());
    const { consumer } = consuming('any', { client: nobody });
    await sleep(1_000);
    expect(consumer.state()).toEqual({ connected: false, lastPollAt: undefined, assigned: [], waiting: [] });

    const started = Date.now();
    await consumer.stop();
    expect(Date.now() - started).toBeLessThan(5_000);
  });
});

describe('a group', () => {
  it('shares partitions out again without losing or disordering anything', async () => {
    const topic = await kafka.topic('rebalance');
    const applied = new Map<string, number>();
    const order: number[] = [];
    const handle = async ({ value }: IncomingMessage) => {
      await sleep(2);
      const times = applied.get(String(value)) ?? 0;
      applied.set(String(value), times + 1);
      if (times === 0) order.push(Number(value));
    };
    const steady = consuming(topic, { handle });
    await eventually(() => steady.consumer.state().connected);

    const publishing = (async () => {
      for (let n = 0; n < 3_000; n += 100) {
        await publish(topic, numbers(3_000).slice(n, n + 100));
        await sleep(100);
      }
    })();
    for (let round = 0; round < 3; round += 1) {
      const guest = consuming(topic, { handle });
      await sleep(700);
      await guest.consumer.stop();
    }
    await publishing;

    await eventually(() => applied.size === 3_000);
    for (let key = 0; key < 10; key += 1) {
      const ofKey = order.filter((n) => n % 10 === key);
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
    }
  });
});

describe('a process that dies', () => {
  it('leaves a marker, by which the next goes message by message and buries the killer', async () => {
    const topic = await kafka.topic('killer', 1);
    await publish(topic, ['a', 'b', 'killer', 'c', 'd'], 5);
    const { board } = markers();
    const seen: string[] = [];

    // A process that is killed neither stops nor lowers its markers: each consumer here is abandoned in mid-work.
    for (let death = 0; death < 6; death += 1) {
      const dying = Promise.withResolvers<void>();
      const consumer = runConsumer({
        client: kafka.client,
        topic,
        group: `${topic}-group`,
        publisher: closing(createPublisher(kafka.client)),
        inFlight: { ...markers(board).inFlight, lower: async () => undefined },
        log: testLog(),
        finishWithinMs: 50,
        handle: async ({ value }) => {
          if (String(value) === 'killer') {
            dying.resolve();
            await new Promise(() => undefined);
          }
          seen.push(String(value));
        },
      });
      const survived = eventually(async () => (await committed(topic)) === 5n).then(() => true);
      const outcome = await Promise.race([dying.promise.then(() => false), survived]);
      await consumer.stop();
      if (outcome) break;
    }

    const letters = await kafka.read(`${topic}.dlq`);
    expect(letters.map(({ value }) => String(value))).toEqual(['killer']);
    expect(String(letters[0]!.headers['dlq-error-class'])).toBe('event.process_killer');
    expect(new Set(seen)).toEqual(new Set(['a', 'b', 'c', 'd']));
  });
});
