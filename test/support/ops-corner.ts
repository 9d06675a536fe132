/** A Firestore project and topics for one test file of the operators' commands. */
import { writeDeadLetter } from '../../shared/kafka/dead-letters.ts';
import type { IncomingMessage } from '../../shared/kafka/ports.ts';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { namesIn } from '../../shared/kafka/topics.ts';
import { ServiceError } from '../../shared/platform/errors.ts';
import { readEventsBut } from '../../shared/store/outbox-events.ts';
import { SHARDS } from '../../shared/store/outbox.ts';
import type { Environment } from '../../functions/ops/context.ts';
import { createAllTopics, kafkaCorner } from './kafka.ts';
import { runOpsHere } from './ops.ts';
import { patientsWorld } from './patients-world.ts';

export async function opsCorner() {
  const kafka = await kafkaCorner();
  const world = patientsWorld();
  const { topics } = namesIn(kafka.config);
  await createAllTopics(kafka.client, topics);
  const publisher = createPublisher(kafka.client);
  const environment = {
    ...process.env,
    GOOGLE_CLOUD_PROJECT: world.project,
    KAFKA_TOPIC_PREFIX: kafka.prefix,
    KAFKA_GROUP_PREFIX: kafka.prefix,
  };
  return {
    kafka,
    world,
    topics,
    publisher,
    environment,
    ops: (commandLine: string, overrides: Environment = {}, signal?: AbortSignal) =>
      runOpsHere({ ...environment, ...overrides }, commandLine, signal),
    /** Writes a dead letter for a message that a consumer could not apply. */
    bury: async (
      topic: string,
      offset: number,
      value: string,
      error = new ServiceError('event.invalid_payload'),
    ): Promise<void> => {
      const message: IncomingMessage = {
        topic,
        partition: 2,
        offset: BigInt(offset),
        timestamp: 0,
        key: Buffer.from('k'),
        value: Buffer.from(value),
        headers: { ce_id: `id-${offset}` },
      };
      await writeDeadLetter(publisher, message, { code: error.code, attempts: 1, error }, new Date());
    },
    /** Publishes all events in the outbox. */
    relayAll: async (): Promise<void> => {
      for (let shard = 0; shard < SHARDS; shard += 1) {
        for (const entry of (await readEventsBut(world.db, shard, 100, { skip: () => false })).events) {
          const { patientId, envelope, ref } = entry;
          await publisher.publish([{ topic: topics.patients, key: String(patientId), value: envelope }]);
          await ref.delete();
        }
      }
    },
  };
}
