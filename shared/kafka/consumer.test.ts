import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { consumerCorner, markers } from '../../test/support/consuming.ts';
import { eventually } from '../../test/support/eventually.ts';
import { closing, createTopics, testLog } from '../../test/support/kafka.ts';
import { ServiceError } from '../platform/errors.ts';
import { kafkaClient } from './kafkajs.ts';
import type { IncomingMessage } from './ports.ts';
import { createPublisher } from './publish.ts';

const { kafka, consuming, publish, committed } = await consumerCorner();
const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n));

describe('a consumer', () => {
  it('sees everything once, each key in order, and commits it', async () => {
    const topic = await kafka.topic('all');
    await publish(topic, numbers(500));

    const { consumer, seen } = consuming(topic);

    await eventually(() => expect(seen.length).toBeGreaterThanOrEqual(500));
    await eventually(async () => expect(await committed(topic)).toBe(500n));
    expect(seen.toSorted()).toEqual(numbers(500).toSorted());
    for (const key of Array.from({ length: 10 }, (_, n) => n)) {
      const ofKey = seen.map(Number).filter((n) => n % 10 === key);
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
    }
    expect(consumer.state()).toEqual({
      connected: true,
      lastPollAt: expect.any(Number),
      assigned: [0, 1, 2, 3, 4, 5],
      waiting: [],
    });
  });

  it('distinguishes an internal fault from an outage, counts it, and continues when it is fixed', async () => {
    const topic = await kafka.topic('fault', 1);
    await publish(topic, ['message']);
    const lines: string[] = [];
    const { inFlight } = markers();
    let calls = 0;
    const { seen } = consuming(topic, {
      log: testLog(lines),
      inFlight: {
        ...inFlight,
        async left(at) {
          calls += 1;
          if (calls <= 2) throw new TypeError('planted');
          return inFlight.left(at);
        },
      },
    });

    await eventually(() => expect(seen).toEqual(['message']));
    const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(
      logged.filter(({ metrics }) => (metrics as { errors?: number } | undefined)?.errors === 1),
    ).toHaveLength(2);
    expect(logged.map(({ message }) => message)).not.toContain('The partitions cannot be started yet');
  });

  it('goes on where it stopped', async () => {
    const topic = await kafka.topic('resume');
    await publish(topic, numbers(50));
    const first = consuming(topic);
    await eventually(() => expect(first.seen.length).toBeGreaterThanOrEqual(50));
    await first.consumer.stop();
    await publish(topic, ['next']);

    const second = consuming(topic);

    await eventually(() => expect(second.seen.length).toBeGreaterThan(0));
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
    await eventually(() => expect(consumer.state().waiting).not.toEqual([]));

    for (const message of to(2, 20)) await publisher.publish([message]);
    await eventually(() => expect(seen).toHaveLength(20));

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
    await eventually(() => expect(seen).toHaveLength(9));
    await eventually(async () => expect(await committed(topic)).toBe(3n));

    broken = false;

    await eventually(async () => expect(await committed(topic)).toBe(10n));
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

    await eventually(() => expect(begun).toBeGreaterThan(0));
    await sleep(1_500);
    expect(begun).toBeLessThan(16);

    gate.resolve();
    await eventually(() => expect(seen).toHaveLength(40));
  });

  it('stops although a handler hangs, and leaves its message to the next', async () => {
    const topic = await kafka.topic('hang', 1);
    await publish(topic, numbers(3));
    let begun = 0;
    const { consumer } = consuming(topic, {
      finishWithinMs: 500,
      handle: () => {
        begun += 1;
        return new Promise<never>(() => undefined);
      },
    });
    await eventually(() => expect(begun).toBeGreaterThan(0));

    await consumer.stop();

    const next = consuming(topic);
    await eventually(() => expect(next.seen).toHaveLength(3));
  });

  it('starts before the topic exists, and consumes it once it does', async () => {
    const topic = `${kafka.prefix}late`;
    const { consumer, seen } = consuming(topic);
    await sleep(500);
    expect(consumer.state().connected).toBe(false);

    await createTopics(kafka.client, [topic]);
    await publish(topic, ['first']);

    await eventually(() => expect(seen).toHaveLength(1));
  });

  it('starts without a broker and can be stopped before one is there', async () => {
    const nobody = kafkaClient({ ...kafka.config, KAFKA_BOOTSTRAP_SERVERS: ['127.0.0.1:9'] }, testLog());
    const { consumer } = consuming('any', { client: nobody });
    await sleep(1_000);
    expect(consumer.state()).toEqual({ connected: false, lastPollAt: undefined, assigned: [], waiting: [] });

    await consumer.stop();
    expect(consumer.state().connected).toBe(false);
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
    await eventually(() => expect(steady.consumer.state().connected).toBe(true));

    const publishing = (async () => {
      for (let n = 0; n < 3_000; n += 100) {
        await publish(topic, numbers(3_000).slice(n, n + 100));
        await sleep(100);
      }
    })();
    // The member before it notices a guest at its next heartbeat only.
    for (let round = 0; round < 2; round += 1) {
      const guest = consuming(topic, { handle });
      await eventually(() => expect(guest.consumer.state().assigned).not.toEqual([]));
      await guest.consumer.stop();
    }
    await publishing;

    await eventually(() => expect(applied.size).toBe(3_000));
    for (let key = 0; key < 10; key += 1) {
      const ofKey = order.filter((n) => n % 10 === key);
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
    }
  });
});
