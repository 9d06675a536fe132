/**
 * Names of topics and consumer groups. Prefixes keep environments apart that share a cluster.
 */
import type { Config } from '../platform/config.ts';

/** Topics that this service writes or reads. Each has a dead-letter topic beside it. */
export const topics = {
  patients: 'patient-events',
  communication: 'communication-events',
  therapists: 'therapist-events',
} as const;

/** The consumer groups: one for each consumed topic, and the operators'. */
export const groups = {
  communication: 'patient-service-comm',
  therapists: 'patient-service-therapist',
  /** Reads without processing: dead letters and verification. */
  operators: 'patient-service-ops',
} as const;

/** The topics that the worker reads. */
export const consumedTopics = ['communication', 'therapists'] as const satisfies (keyof typeof topics)[];
/** One of {@link consumedTopics}. */
export type ConsumedTopic = (typeof consumedTopics)[number];

/** Partitions of each topic. A key keeps its partition only while this number does not change. */
export const PARTITIONS = 6;

type Prefixes = Config<'KAFKA_TOPIC_PREFIX' | 'KAFKA_GROUP_PREFIX'>;

/** Names of topics and groups with the prefixes of an environment. */
export interface Names {
  readonly topics: Record<keyof typeof topics, string>;
  readonly groups: Record<keyof typeof groups, string>;
}

/** The names in this environment. */
export function namesIn(config: Prefixes): Names {
  return {
    topics: prefixed(config.KAFKA_TOPIC_PREFIX, topics),
    groups: prefixed(config.KAFKA_GROUP_PREFIX, groups),
  };
}

/** @returns the name of the topic that holds the dead letters of `topic` */
export function deadLetterTopicOf(topic: string): string {
  return `${topic}.dlq`;
}

function prefixed<K extends string>(prefix: string, names: Record<K, string>): Record<K, string> {
  const entries = Object.entries<string>(names).map(([name, value]) => [name, prefix + value]);
  return Object.fromEntries(entries) as Record<K, string>;
}
