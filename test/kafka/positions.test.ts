/** Positions that become invalid while no consumer runs, or during a run: every remaining message is still applied. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { lagOf } from '../../shared/kafka/lag.ts';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { consumerCorner } from '../support/consuming.ts';
import { eventually } from '../support/eventually.ts';
import { closing, testLog } from '../support/kafka.ts';
import { kafkaTool, withoutApacheKafka } from '../support/kafka-tool.ts';

const { kafka, consuming } = await consumerCorner();
const noKafkaTool = await withoutApacheKafka('topics that are recreated, cut and grown');

async function publish(topic: string, partition: number, values: readonly string[]): Promise<void> {
  const messages = values.map((value) => ({ topic, key: 'one key', value, partition }));
  await closing(createPublisher(kafka.client)).publish(messages);
}

async function lag(topic: string): Promise<number[]> {
  const admin = await kafka.client.admin();
  const lags = await lagOf(admin, `${topic}-group`, topic);
  await admin.close();
  return lags.map(({ lag }) => lag);
}

const firsts = (values: readonly string[]) => [...new Set(values)];
const seven = (name: string) => Array.from({ length: 7 }, (_, n) => `${name} ${n}`);

it.skipIf(noKafkaTool)(
  'a topic that is recreated while the consumer runs is read from its beginning',
  async () => {
    const topic = await kafka.topic('recreated', 2);
    const logged: string[] = [];
    const { seen } = consuming(topic, { log: testLog(logged) });
    // One new partition ends before the old position, and one exactly at it, which looks unchanged.
    await publish(
      topic,
      0,
      Array.from({ length: 20 }, (_, n) => `old ${n}`),
    );
    await publish(topic, 1, seven('old'));
    await eventually(() => expect(seen).toHaveLength(27));
    await eventually(async () => expect(await lag(topic)).toEqual([0, 0]));
    seen.length = 0;

    await kafkaTool('recreate', topic, '2');
    await publish(topic, 0, seven('short'));
    await publish(topic, 1, seven('equal'));

    await eventually(() => expect(new Set(seen)).toEqual(new Set([...seven('short'), ...seven('equal')])));
    expect(firsts(seen).filter((value) => value.startsWith('short'))).toEqual(seven('short'));
    await eventually(async () => expect(await lag(topic)).toEqual([0, 0]));
  },
);

it.skipIf(noKafkaTool)(
  'a topic that is recreated with other partitions while no consumer runs is read completely',
  async () => {
    const topic = await kafka.topic('reshaped', 3);
    const before = consuming(topic);
    await publish(topic, 0, seven('old'));
    await eventually(async () => expect(await lag(topic)).toEqual([0, 0, 0]));
    await before.consumer.stop();
    await kafkaTool('recreate', topic, '1');
    await publish(
      topic,
      0,
      Array.from({ length: 12 }, (_, n) => `new ${n}`),
    );

    const { seen } = consuming(topic);

    await eventually(() => expect(firsts(seen)).toHaveLength(12));
    expect(firsts(seen)[0]).toBe('new 0');
    await eventually(async () => expect(await lag(topic)).toEqual([0]));
  },
);

it.skipIf(noKafkaTool)('added partitions are read without a restart', async () => {
  const topic = await kafka.topic('grown', 1);
  const { seen, consumer } = consuming(topic);
  await publish(topic, 0, ['first']);
  await eventually(() => expect(seen).toEqual(['first']));

  await kafkaTool('partitions', topic, '3');
  await publish(topic, 2, ['in a new partition']);

  await eventually(() => expect(seen).toEqual(['first', 'in a new partition']));
  expect(consumer.state().assigned).toEqual([0, 1, 2]);
});

it('messages deleted unread are counted, and the remaining ones are read', async () => {
  const topic = await kafka.topic('expired', 1);
  const first = consuming(topic);
  await publish(topic, 0, ['0', '1']);
  await eventually(async () => expect(await lag(topic)).toEqual([0]));
  await first.consumer.stop();
  await publish(topic, 0, ['2', '3', '4', '5']);
  const admin = closing(await kafka.client.admin());
  await admin.deleteBefore(topic, 0, 5n);

  const logged: string[] = [];
  const { seen } = consuming(topic, { log: testLog(logged) });

  await eventually(() => expect(seen).toEqual(['5']));
  const lines = logged.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toContainEqual(
    expect.objectContaining({
      message: 'The position of a partition has jumped',
      reason: 'expired',
      count: 3,
    }),
  );
  expect(lines).toContainEqual(expect.objectContaining({ metrics: { offsets_missing: 3 } }));
});

it('messages deleted while the consumer waits to read them do not stop it', async () => {
  const topic = await kafka.topic('overtaken', 1);
  const { seen, consumer } = consuming(topic);
  await publish(topic, 0, ['0']);
  await eventually(() => expect(seen).toEqual(['0']));
  const admin = closing(await kafka.client.admin());
  await consumer.stop();
  await publish(topic, 0, ['1', '2']);
  const again = consuming(topic);
  await eventually(() => expect(again.seen).toEqual(['1', '2']));
  await admin.deleteBefore(topic, 0, 3n);
  await publish(topic, 0, ['3']);
  await eventually(() => expect(again.seen).toEqual(['1', '2', '3']));
});

it('a consumer overtaken by deletion continues with the remaining messages and counts the deleted ones', async () => {
  const topic = await kafka.topic('outrun', 1);
  const logged: string[] = [];
  const [begun, away] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  // 1.2 MB of buffered messages stop fetching, so later messages are deleted before they are fetched.
  const { seen } = consuming(topic, {
    log: testLog(logged),
    handle: async ({ value }) => {
      begun.resolve();
      await away.promise;
      seen.push(String(value).slice(0, 7));
    },
  });
  for (let n = 0; n < 6; n += 1) await publish(topic, 0, [`large ${n}${' '.repeat(400_000)}`]);
  await begun.promise;
  // It fetches more until its buffer is full.
  await sleep(3_000);
  const admin = closing(await kafka.client.admin());
  const high = (await admin.ranges(topic)).get(0)!.high;
  await publish(topic, 0, ['small 1']);
  await admin.deleteBefore(topic, 0, high);
  away.resolve();

  await eventually(() => expect(seen.at(-1)).toBe('small 1'));
  await eventually(async () => expect(await lag(topic)).toEqual([0]));
  const lines = logged.map((line) => JSON.parse(line) as { metrics?: { offsets_missing?: number } });
  const missing = lines.map(({ metrics }) => metrics?.offsets_missing ?? 0).filter((count) => count > 0);
  expect(missing).toEqual([6 - (firsts(seen).length - 1)]);
  expect(missing[0]).toBeGreaterThan(0);
});

it.skipIf(noKafkaTool)(
  'a topic that is recreated with more partitions while the consumer runs is read whole',
  async () => {
    const topic = await kafka.topic('widened', 1);
    const { seen } = consuming(topic);
    await publish(topic, 0, seven('old'));
    await eventually(async () => expect(await lag(topic)).toEqual([0]));

    await kafkaTool('recreate', topic, '3');
    for (const partition of [0, 1, 2]) await publish(topic, partition, seven(`new ${partition}`));

    const all = [0, 1, 2].flatMap((partition) => seven(`new ${partition}`));
    await eventually(() => expect(firsts(seen)).toEqual(expect.arrayContaining(all)));
    expect(firsts(seen)).toHaveLength(28);
    await eventually(async () => expect(await lag(topic)).toEqual([0, 0, 0]));
  },
);

it('a committed offset beyond the end reads the partition again', async () => {
  const topic = await kafka.topic('beyond', 1);
  await publish(topic, 0, seven('message'));
  const opened = Promise.withResolvers<void>();
  const guest = await kafka.client.join(topic, `${topic}-group`, {
    assigned: () => opened.resolve(),
    lost: () => undefined,
    fetched: () => false,
    outOfRange: () => undefined,
    polled: () => undefined,
    ended: () => undefined,
  });
  await opened.promise;
  await guest.commit(new Map([[0, 1_000n]]), undefined);
  await guest.leave();
  expect(await lag(topic)).toEqual([7]);

  const { seen } = consuming(topic);

  await eventually(() => expect(seen).toEqual(seven('message')));
  await eventually(async () => expect(await lag(topic)).toEqual([0]));
});

it.skipIf(noKafkaTool)('transaction markers and aborted messages do not count as lag', async () => {
  const topic = await kafka.topic('transactions', 1);
  const { seen } = consuming(topic);
  await kafkaTool('transactions', topic, 'committed', 'aborted');

  await eventually(async () => {
    const admin = await kafka.client.admin();
    const [ranges, committed] = await Promise.all([
      admin.ranges(topic),
      admin.committed(`${topic}-group`, topic),
    ]);
    await admin.close();
    expect(ranges.get(0)?.high).toBe(4n);
    expect(committed.get(0)?.offset).toBe(4n);
  });
  expect(seen).toEqual(['committed']);
});

it('messages without a key keep their order, mixed with keyed ones', async () => {
  const topic = await kafka.topic('keyless', 1);
  const order: string[] = [];
  consuming(topic, {
    handle: async ({ key, value }) => {
      await sleep(Math.random() * 10);
      if (key === null) order.push(String(value));
    },
  });
  const values = Array.from({ length: 50 }, (_, n) => String(n));
  await closing(createPublisher(kafka.client)).publish(
    values.flatMap((value) => [
      { topic, key: null, value, partition: 0 },
      { topic, key: value, value, partition: 0 },
    ]),
  );
  await eventually(() => expect(order).toHaveLength(50));
  expect(order).toEqual(values);
});
