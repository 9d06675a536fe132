import { randomBytes } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { closing, kafkaCorner } from '../../test/support/kafka.ts';
import { chunksOf, createPublisher } from './publish.ts';

const kafka = await kafkaCorner();

describe('publishing', () => {
  it('keeps the order of a key over more messages than fit one batch', async () => {
    const topic = await kafka.topic('order');
    const publisher = closing(createPublisher(kafka.client));
    const filler = 'x'.repeat(4_000);
    const messages = Array.from({ length: 600 }, (_, n) => ({
      topic,
      key: String(n % 7),
      value: `${n} ${filler}`,
    }));

    await publisher.publish(messages);

    const read = await kafka.read(topic);
    expect(read).toHaveLength(600);
    for (const sameKey of Map.groupBy(read, ({ key }) => String(key)).values()) {
      const numbers = sameKey.map(({ value }) => Number.parseInt(String(value), 10));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  });

  it("chooses partitions like Kafka's Java client", async () => {
    const topic = await kafka.topic('murmur');
    await closing(createPublisher(kafka.client)).publish(
      ['1', '2', '42', '1000', '2147483647'].map((key) => ({ topic, key, value: null })),
    );

    // org.apache.kafka.common.utils.Utils: toPositive(murmur2(key)) % 6
    const partitions = (await kafka.read(topic)).map(({ key, partition }) => [String(key), partition]);
    expect(Object.fromEntries(partitions)).toEqual({ 1: 3, 2: 2, 42: 4, 1000: 4, 2147483647: 5 });
  });

  it('carries headers, bytes and tombstones as they are', async () => {
    const topic = await kafka.topic('bytes');
    const key = randomBytes(16);
    await closing(createPublisher(kafka.client)).publish([
      { topic, key, value: randomBytes(600 * 1024), headers: { ce_type: 'patient.created' }, partition: 3 },
      { topic, key, value: null, partition: 3 },
    ]);

    const [large, tombstone] = await kafka.read(topic);
    expect(large).toMatchObject({ partition: 3, key, headers: { ce_type: Buffer.from('patient.created') } });
    expect(large!.value).toHaveLength(600 * 1024);
    expect(tombstone!.value).toBeNull();
  });

  it('says that a message is too large, after it has sent those before it', async () => {
    const topic = await kafka.topic('large');
    const publisher = closing(createPublisher(kafka.client));

    const publishing = publisher.publish([
      { topic, key: '1', value: 'small' },
      { topic, key: '1', value: randomBytes(1_200_000) },
    ]);

    await expect(publishing).rejects.toMatchObject({ code: 'event.too_large', retriable: false });
    await publisher.publish([{ topic, key: '1', value: 'next' }]);
    expect((await kafka.read(topic)).map(({ value }) => String(value))).toEqual(['small', 'next']);
  });

  it('serves many callers at once', async () => {
    const topic = await kafka.topic('many');
    const publisher = closing(createPublisher(kafka.client));

    await Promise.all(
      Array.from({ length: 16 }, (_, caller) =>
        publisher.publish(
          Array.from({ length: 50 }, (_, n) => ({ topic, key: String(caller), value: String(n) })),
        ),
      ),
    );

    const read = await kafka.read(topic);
    expect(read).toHaveLength(800);
    for (const sameKey of Map.groupBy(read, ({ key }) => String(key)).values()) {
      expect(sameKey.map(({ value }) => Number(value))).toEqual(Array.from({ length: 50 }, (_, n) => n));
    }
  });

  it('sends nothing for a sender who may not send any more when its turn has come', async () => {
    const topic = await kafka.topic('deposed');
    const publisher = closing(createPublisher(kafka.client, { attempts: 1 }));
    let turns = 0;
    const isFirst = () => (turns += 1) === 1;
    const first = publisher.publish([{ topic, key: '1', value: 'first' }], isFirst);
    const second = publisher.publish([{ topic, key: '1', value: 'second' }], isFirst);
    await first;
    await expect(second).rejects.toMatchObject({ code: 'kafka.unavailable' });
    expect((await kafka.read(topic)).map(({ value }) => String(value))).toEqual(['first']);
  });

  it('lets those who wait fail with the one before them, instead of each as slowly', async () => {
    const nobody = await kafkaCorner({ KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:9' });
    const publisher = closing(createPublisher(nobody.client, { attempts: 1 }));
    const tries = vi.spyOn(nobody.client, 'producer');
    const sends = Array.from({ length: 16 }, () =>
      publisher.publish([{ topic: 'any', key: '1', value: 'x' }]),
    );
    const outcomes = await Promise.allSettled(sends);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(16);
    expect(tries).toHaveBeenCalledOnce();
  });

  it('takes a message that cannot be encoded for no outage, and sends the next', async () => {
    const topic = await kafka.topic('unsendable');
    const publisher = closing(createPublisher(kafka.client, { delayMs: 10 }));
    const broken = { topic, key: '1', value: 5 as unknown as string };
    await expect(publisher.publish([broken])).rejects.toMatchObject({
      code: 'event.unsendable',
      retriable: false,
    });
    await publisher.publish([{ topic, key: '1', value: 'next' }]);
    expect((await kafka.read(topic)).map(({ value }) => String(value))).toEqual(['next']);
  });

  it('reports an unreachable broker as worth another try', async () => {
    const nobody = await kafkaCorner({ KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:9' });
    const publisher = closing(createPublisher(nobody.client, { attempts: 2, delayMs: 10 }));
    const publishing = publisher.publish([{ topic: 'any', key: '1', value: 'x' }]);
    await expect(publishing).rejects.toMatchObject({ code: 'kafka.unavailable', retriable: true });
  });
});

describe('chunks', () => {
  const message = (bytes: number) => ({ topic: 't', key: null, value: 'x'.repeat(bytes) });

  it('fill up to the limit and keep the order', () => {
    const messages = [300, 300, 300, 10].map(message);
    const chunks = chunksOf(messages, 1_000);
    expect(chunks.map((chunk) => chunk.length)).toEqual([2, 2]);
    expect(chunks.flat()).toEqual(messages);
  });

  it('leave a message that exceeds the limit alone', () => {
    expect(chunksOf([10, 5_000, 10].map(message), 1_000).map((chunk) => chunk.length)).toEqual([1, 1, 1]);
  });

  it('are none for no messages', () => {
    expect(chunksOf([])).toEqual([]);
  });
});
