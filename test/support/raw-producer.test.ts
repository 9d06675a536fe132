/** Tests the raw producer against the broker and the service's own client. */
import { expect, it } from 'vitest';
import { kafkaCorner } from './kafka.ts';
import { rawProducer } from './raw-producer.ts';

const kafka = await kafkaCorner();

it.each(['none', 'gzip'] as const)(
  'sends messages that other clients can read, with compression %s',
  async (codec) => {
    const topic = await kafka.topic(`raw-${codec}`, 2);
    const producer = rawProducer(process.env['KAFKA_BOOTSTRAP_SERVERS']!);
    const records = [
      { key: 'k', value: 'v'.repeat(100_000), headers: [['name', 'value']] as const },
      { key: null, value: null },
    ];

    expect(await producer.produce(topic, 1, records, codec)).toBe(0n);
    expect(await producer.produce(topic, 1, [{ value: 'later' }], codec)).toBe(2n);
    producer.close();

    const read = await kafka.read(topic);
    expect(read.map(({ partition, value }) => [partition, value?.length])).toEqual([
      [1, 100_000],
      [1, undefined],
      [1, 5],
    ]);
    expect(String(read[0]?.headers['name'])).toBe('value');
  },
);

it('throws when the broker refuses a batch', async () => {
  const producer = rawProducer(process.env['KAFKA_BOOTSTRAP_SERVERS']!);
  const topic = await kafka.topic('raw-small', 1);
  await expect(producer.produce(topic, 0, [{ value: Buffer.alloc(2 * 1024 * 1024) }])).rejects.toThrow(
    'the broker answered 10',
  );
  producer.close();
});
