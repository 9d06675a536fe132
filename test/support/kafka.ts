/** Topics of one test file on the test broker: they have their own prefix, are created on demand and can be read back. */
import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { kafkaClient } from '../../shared/kafka/kafkajs.ts';
import type { IncomingMessage, KafkaClient } from '../../shared/kafka/ports.ts';
import { readTopic } from '../../shared/kafka/read-topic.ts';
import { kafkaVariables, type KafkaConfig } from '../../shared/kafka/settings.ts';
import { consumedTopics, deadLetterTopicOf, type Names } from '../../shared/kafka/topics.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { createLog, type Log } from '../../shared/platform/log.ts';

/** A log that discards its lines, or collects them in `lines`. */
export function testLog(lines: string[] = []): Log {
  return createLog({
    service: 'test',
    project: 'test',
    level: 'debug',
    destination: { write: (line) => void lines.push(line) },
  });
}

export async function kafkaCorner(overrides: Record<string, string> = {}) {
  const prefix = `t${randomUUID().slice(0, 8)}.`;
  const config: KafkaConfig = await readConfig(kafkaVariables, {
    KAFKA_BOOTSTRAP_SERVERS: process.env['KAFKA_BOOTSTRAP_SERVERS'],
    KAFKA_TOPIC_PREFIX: prefix,
    KAFKA_GROUP_PREFIX: prefix,
    ...overrides,
  });
  const client = kafkaClient(config, testLog());
  return {
    client,
    config,
    prefix,
    /** Creates a topic and its dead-letter topic, by default with 6 partitions as in production. */
    async topic(name: string, partitions = 6): Promise<string> {
      await createTopics(client, [prefix + name, `${prefix}${name}.dlq`], partitions);
      return prefix + name;
    },
    /** All messages of the topic, partition by partition in order. */
    read: (topic: string): Promise<IncomingMessage[]> => readAll(client, topic),
  };
}

/** Waits until every partition has a leader that responds. A publisher with a single attempt needs this. */
export async function createTopics(
  client: KafkaClient,
  names: readonly string[],
  partitions = 6,
): Promise<void> {
  const admin = await client.admin();
  await admin.createTopics(names.map((name) => ({ name, partitions })));
  for (const name of names) await admin.ranges(name);
  await admin.close();
}

/** Creates the topics that this service writes and reads, with the dead-letter topics that it writes. */
export function createAllTopics(client: KafkaClient, names: Names['topics']): Promise<void> {
  const letters = consumedTopics.map((topic) => deadLetterTopicOf(names[topic]));
  return createTopics(client, [...Object.values(names), ...letters]);
}

export async function readAll(client: KafkaClient, topic: string): Promise<IncomingMessage[]> {
  const messages: IncomingMessage[] = [];
  await readTopic(client, topic, {
    group: `${topic}-reader`,
    onMessage: (message) => void messages.push(message),
  });
  return messages.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
}

/** Closes the resource when the running test ends. */
export function closing<T extends { close(): Promise<void> }>(resource: T): T {
  onTestFinished(() => resource.close());
  return resource;
}
