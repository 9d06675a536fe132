/**
 * A corner of the test broker for one test file: its own prefix, topics made on demand, and reading back.
 */
import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { kafkaClient } from '../../shared/kafka/kafkajs.ts';
import type { IncomingMessage, KafkaClient } from '../../shared/kafka/ports.ts';
import { readTopic } from '../../shared/kafka/read-topic.ts';
import { kafkaVariables, type KafkaConfig } from '../../shared/kafka/settings.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { createLog, type Log } from '../../shared/platform/log.ts';

/** Discards what is logged, or collects it in `lines`. */
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
    /** A new topic, by default of 6 partitions as in production, and its dead-letter topic. */
    async topic(name: string, partitions = 6): Promise<string> {
      await createTopics(client, [prefix + name, `${prefix}${name}.dlq`], partitions);
      return prefix + name;
    },
    /** Everything in the topic, partition by partition in order. */
    read: (topic: string): Promise<IncomingMessage[]> => readAll(client, topic),
  };
}

/** @returns once every partition has a leader that answers: a publisher that is allowed one attempt needs it */
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

export async function readAll(client: KafkaClient, topic: string): Promise<IncomingMessage[]> {
  const messages: IncomingMessage[] = [];
  await readTopic(client, topic, {
    group: `${topic}-reader`,
    onMessage: (message) => void messages.push(message),
  });
  return messages.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
}

/** Closes it when the running test ends. */
export function closing<T extends { close(): Promise<void> }>(resource: T): T {
  onTestFinished(() => resource.close());
  return resource;
}
