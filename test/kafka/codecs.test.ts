/** Messages compressed by other clients. */
import { expect, it } from 'vitest';
import { consumerCorner } from '../support/consuming.ts';
import { eventually } from '../support/eventually.ts';
import { has, kafkaTool, kcat, withoutApacheKafka } from '../support/kafka-tool.ts';

const { kafka, consuming } = await consumerCorner();
const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'];
/** Long and repetitive, so that clients compress them. */
const text = (codec: string) => `${codec}: ${'the same words over and over, '.repeat(3_000)}`;
const withApacheKafka = it.skipIf(await withoutApacheKafka("what Kafka's own client packs"));

it.skipIf(!(await has('kcat')))('messages compressed by kcat (librdkafka) are read', async () => {
  const topic = await kafka.topic('kcat', 1);
  const { seen } = consuming(topic);
  for (const codec of CODECS) await kcat(topic, text(codec), '-z', codec, '-k', 'key');
  await eventually(() => expect(seen).toHaveLength(CODECS.length));
  expect(seen).toEqual(CODECS.map(text));
});

withApacheKafka("messages compressed by Kafka's own client are read", async () => {
  const topic = await kafka.topic('java', 1);
  const { seen } = consuming(topic);
  await kafkaTool('pack', topic, text(''), ...CODECS);
  await eventually(() => expect(seen).toHaveLength(CODECS.length * 2));
  expect(seen).toEqual(CODECS.flatMap((codec) => [text(codec), `${codec} again`]));
});
