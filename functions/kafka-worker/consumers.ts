/** The consumers of the worker: maps each topic to its effect. */
import type { Firestore } from '@google-cloud/firestore';
import { runConsumer, type RunningConsumer } from '../../shared/kafka/consumer.ts';
import type { KafkaClient } from '../../shared/kafka/ports.ts';
import type { Publisher } from '../../shared/kafka/publish.ts';
import { consumedTopics, type ConsumedTopic, type Names } from '../../shared/kafka/topics.ts';
import type { Clock } from '../../shared/platform/clock.ts';
import type { Log } from '../../shared/platform/log.ts';
import { SharedLock } from '../../shared/platform/shared-lock.ts';
import { inFlightMarkers } from '../../shared/store/in-flight.ts';
import { unreadableBatchNotes } from '../../shared/store/unreadable-batches.ts';
import { communicationEffect } from './effects/communication.ts';
import { handlerOf, type Effect } from './effects/effect.ts';
import { therapistEffect } from './effects/therapist.ts';

export interface ConsumerDependencies {
  readonly client: KafkaClient;
  readonly names: Names;
  /** Publishes the dead letters. */
  readonly publisher: Publisher;
  readonly db: Firestore;
  readonly clock: Clock;
  readonly log: Log;
}

export interface TopicConsumer extends RunningConsumer {
  readonly topic: string;
  readonly group: string;
}

/** Starts a consumer for each consumed topic. Kafka need not be reachable yet. */
export function startConsumers(dependencies: ConsumerDependencies): readonly TopicConsumer[] {
  const { client, names, publisher, db, clock, log } = dependencies;
  const markersOf = inFlightMarkers(db);
  const lock = new SharedLock();
  const notesOf = unreadableBatchNotes(db, clock);
  const effects: Record<ConsumedTopic, Effect> = {
    communication: communicationEffect(db, clock),
    therapists: therapistEffect(db, clock, log),
  };
  return consumedTopics.map((name) => {
    const topic = names.topics[name];
    const group = names.groups[name];
    const handle = handlerOf(effects[name], clock, log);
    const notes = { inFlight: markersOf(group), lock, unreadable: notesOf(group) };
    return { topic, group, ...runConsumer({ client, topic, group, handle, publisher, log, ...notes }) };
  });
}
