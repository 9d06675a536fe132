/**
 * Creates the topics of the local stack, as infra/kafka.tf does in production.
 */
import { kafkaClient } from '../../shared/kafka/kafkajs.ts';
import { kafkaVariables } from '../../shared/kafka/settings.ts';
import { deadLetterTopicOf, namesIn, PARTITIONS } from '../../shared/kafka/topics.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { createLog } from '../../shared/platform/log.ts';

/** Topics that exist stay as they are. @param address `host:port` of a broker */
export async function createLocalTopics(address: string): Promise<void> {
  const config = await readConfig(kafkaVariables, { ...process.env, KAFKA_BOOTSTRAP_SERVERS: address });
  const log = createLog({ service: 'local', project: 'local', level: 'error' });
  const admin = await kafkaClient({ ...config, KAFKA_LOG_LEVEL: 'nothing' }, log).admin();
  try {
    const names = Object.values(namesIn(config).topics);
    const all = [...names, ...names.map(deadLetterTopicOf)];
    await admin.createTopics(all.map((name) => ({ name, partitions: PARTITIONS })));
  } finally {
    await admin.close();
  }
}
