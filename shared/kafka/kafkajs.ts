/**
 * The only module that imports kafkajs (frozen since 2023, see patches/). It opens connections from our configuration
 * and returns them as the interfaces of ports.ts.
 */
import {
  Kafka,
  logLevel,
  Partitioners,
  type ICustomPartitioner,
  type IHeaders,
  type KafkaConfig as ClientConfig,
  type PartitionMetadata,
} from 'kafkajs';
import type { Log } from '../platform/log.ts';
import { forwardLine, type ClientLine } from './client-log.ts';
import { googleTokens } from './google-token.ts';
import type { Admin, KafkaClient, Member, MemberEvents, Producer } from './ports.ts';
import { patiently } from './patiently.ts';
import { metadataOf, topicIdIn } from './position.ts';
import { OFFSET_OUT_OF_RANGE, readPartition, type RawPartition } from './raw-partition.ts';
import { securityOf, type Credentials, type KafkaConfig, type Security } from './settings.ts';

/** An idle member fetches this often. */
export const MAX_WAIT_MS = 500;
/** New partitions, and a topic recreated under the same name, are noticed after this time at the latest. */
const METADATA_MAX_AGE_MS = 15_000;
/** A killed member keeps its partitions for this long, unless another member joins. */
const SESSION_TIMEOUT_MS = 10_000;
/**
 * When a member joins, the others must join again within this time, so a killed member delays the group no longer than
 * this. A living member learns of the rebalance with its next heartbeat.
 */
const REBALANCE_TIMEOUT_MS = 2_000;
const HEARTBEAT_EVERY_MS = 1_000;

/**
 * A client of the configured brokers. Nothing connects before it is used.
 * @throws ServiceError `config.invalid`
 */
export function kafkaClient(config: KafkaConfig, log: Log, clientId = 'patient-service'): KafkaClient {
  const kafka = new Kafka({
    clientId,
    brokers: [...config.KAFKA_BOOTSTRAP_SERVERS],
    ...connectionOptions(securityOf(config)),
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    // Few retries: the code that uses a connection retries itself, and knows when to stop.
    retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 1_000 },
    logLevel: logLevel[config.KAFKA_LOG_LEVEL.toUpperCase() as keyof typeof logLevel],
    logCreator: () => (entry) => forwardLine(log, { ...entry, level: nameOf(entry.level) }),
  });
  return {
    producer: () => openProducer(kafka),
    admin: () => openAdmin(kafka),
    join: (topic, group, events) => openMember(kafka, topic, group, events),
  };
}

function nameOf(level: logLevel): ClientLine['level'] {
  if (level === logLevel.DEBUG) return 'debug';
  return level === logLevel.INFO ? 'info' : 'warn';
}

function connectionOptions(security: Security): Pick<ClientConfig, 'ssl' | 'sasl'> {
  if (security.protocol === 'PLAINTEXT') return {};
  return {
    ssl: security.ca === undefined ? true : { ca: security.ca },
    sasl: saslOptions(security.credentials),
  };
}

function saslOptions(credentials: Credentials): NonNullable<ClientConfig['sasl']> {
  if (credentials.mechanism === 'OAUTHBEARER') {
    const token = googleTokens();
    return { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await token() }) };
  }
  const { username, password } = credentials;
  return credentials.mechanism === 'PLAIN'
    ? { mechanism: 'plain', username, password }
    : { mechanism: 'scram-sha-512', username, password };
}

async function openProducer(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({
    createPartitioner: steadyPartitioner,
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    // No retries within the client: they would not check whether this process may still send. The publisher retries.
    retry: { retries: 0 },
  });
  await orClose(producer, () => producer.connect());
  return {
    async send(messages) {
      const byTopic = Map.groupBy(messages, (message) => message.topic);
      await producer.sendBatch({
        acks: -1,
        topicMessages: [...byTopic].map(([topic, messages]) => ({
          topic,
          messages: messages.map(({ key, value, headers, partition }) => ({
            key,
            value,
            ...(headers === undefined ? {} : { headers: headers as IHeaders }),
            ...(partition === undefined ? {} : { partition }),
          })),
        })),
      });
    },
    close: () => producer.disconnect(),
  };
}

/** A message without a key gets its partition from a hash of this many bytes of its value. */
const HASHED_VALUE_BYTES = 1024;

/**
 * Partitions by the key, like Kafka's Java client; without a key by the beginning of the value. kafkajs would choose a
 * new partition for each attempt, and a retry in another partition leaves the first one's sequence numbers wrong.
 */
function steadyPartitioner(): ReturnType<ICustomPartitioner> {
  const byKey = Partitioners.DefaultPartitioner();
  return ({ message, ...topic }) =>
    byKey({ ...topic, message: { ...message, key: message.key ?? beginningOf(message.value) } });
}

/** The partition that a message with this key goes to, of a topic with so many partitions. */
export function partitionOf(key: string, partitions: number): number {
  const partitionMetadata = Array.from({ length: partitions }, () => ({ leader: 0 }) as PartitionMetadata);
  return Partitioners.DefaultPartitioner()({ topic: '', partitionMetadata, message: { key, value: null } });
}

function beginningOf(value: string | Buffer | null): Buffer {
  return Buffer.from(value?.slice(0, HASHED_VALUE_BYTES) ?? '');
}

async function openAdmin(kafka: Kafka): Promise<Admin> {
  const admin = kafka.admin();
  await orClose(admin, () => admin.connect());
  return {
    async ranges(topic) {
      const offsets = await patiently(() => admin.fetchTopicOffsets(topic));
      return new Map(
        offsets.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]),
      );
    },
    async committed(group, topic) {
      const [answer] = await patiently(() => admin.fetchOffsets({ groupId: group, topics: [topic] }));
      const offsets = (answer?.partitions ?? []).map(
        ({ partition, offset, metadata }) =>
          [partition, { offset: BigInt(offset), topicId: topicIdIn(metadata) }] as const,
      );
      return new Map(offsets.filter(([, { offset }]) => offset >= 0n));
    },
    async topicId(topic) {
      const { topics } = await patiently(() => admin.fetchTopicMetadata({ topics: [topic] }));
      return (topics as readonly { topicId?: string }[])[0]?.topicId;
    },
    async deleteBefore(topic, partition, offset) {
      // kafkajs looks up the leader before it fetches the topic's metadata, so load the metadata first.
      await patiently(() => admin.fetchTopicOffsets(topic));
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: offset.toString() }] });
    },
    async deleteGroup(group) {
      await admin.deleteGroups([group]);
    },
    async rewind(group, topic, time) {
      const partitions = await patiently(() => admin.fetchTopicOffsetsByTimestamp(topic, time));
      await patiently(() => admin.setOffsets({ groupId: group, topic, partitions }));
    },
    async createTopics(topics) {
      const wanted = topics.map(({ name, partitions }) => ({ topic: name, numPartitions: partitions }));
      await patiently(() => admin.createTopics({ topics: wanted }));
    },
    close: () => admin.disconnect(),
  };
}

async function openMember(kafka: Kafka, topic: string, group: string, events: MemberEvents): Promise<Member> {
  const consumer = kafka.consumer({
    groupId: group,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: MAX_WAIT_MS,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    sessionTimeout: SESSION_TIMEOUT_MS,
    rebalanceTimeout: REBALANCE_TIMEOUT_MS,
    heartbeatInterval: HEARTBEAT_EVERY_MS,
    // kafkajs restarts a member after some errors only. This service joins again after every error.
    retry: { retries: 5, maxRetryTime: 5_000, restartOnFailure: async () => false },
  });
  const at = (partition: number) => [{ topic, partitions: [partition] }];
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    const partitions = payload.memberAssignment[topic] ?? [];
    consumer.pause([{ topic, partitions }]);
    events.assigned(partitions);
  });
  consumer.on(consumer.events.REBALANCING, () => events.lost());
  consumer.on(consumer.events.FETCH, () => events.polled());
  consumer.on(consumer.events.CRASH, ({ payload }) => events.ended(payload.error));
  await orClose(consumer, async () => {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      // Only take the messages over and do not await the work on them: kafkajs fetches nothing from a broker while any
      // of its batches is being processed.
      eachBatch: async (payload) => {
        const raw = payload.batch as unknown as RawPartition;
        if (raw.errorCode === OFFSET_OUT_OF_RANGE) {
          if (!payload.isStale()) events.outOfRange(raw.partition);
          return;
        }
        const fetched = await readPartition(topic, raw);
        if (payload.isStale() || !events.fetched(raw.partition, fetched)) return;
        if (fetched.next > BigInt(raw.fetchedOffset)) payload.resolveOffset((fetched.next - 1n).toString());
      },
    });
  });
  return {
    seek: (partition, offset) => consumer.seek({ topic, partition, offset: offset.toString() }),
    pause: (partition) => consumer.pause(at(partition)),
    resume: (partition) => consumer.resume(at(partition)),
    commit: (offsets, topicId) => {
      const metadata = metadataOf(topicId);
      return consumer.commitOffsets(
        [...offsets].map(([partition, offset]) => ({
          topic,
          partition,
          offset: offset.toString(),
          metadata,
        })),
      );
    },
    leave: () => consumer.disconnect(),
  };
}

/** kafkajs leaves sockets and timers behind when connecting fails. */
async function orClose(
  connection: { disconnect(): Promise<void> },
  open: () => Promise<void>,
): Promise<void> {
  try {
    await open();
  } catch (error) {
    await connection.disconnect().catch(() => undefined);
    throw error;
  }
}
