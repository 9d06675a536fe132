/**
 * Names of topics and consumer groups. Prefixes keep environments apart that share a cluster.
 */
import type { Config } from '../platform/config.ts';

/** Topics that this service writes or reads; each consumed one has a dead-letter topic beside it. */
const topics = {
  patients: 'patient-events',
  communication: 'communication-events',
  therapists: 'therapist-events',
} as const;

const groups = {
  communication: 'patient-service-comm',
  therapists: 'patient-service-therapist',
  /** Reads without processing: dead letters and verification. */
  operators: 'patient-service-ops',
} as const;

type Prefixes = Config<'KAFKA_TOPIC_PREFIX' | 'KAFKA_GROUP_PREFIX'>;

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

export function deadLetterTopicOf(topic: string): string {
  return `${topic}.dlq`;
}

function prefixed<K extends string>(prefix: string, names: Record<K, string>): Record<K, string> {
  const entries = Object.entries<string>(names).map(([name, value]) => [name, prefix + value]);
  return Object.fromEntries(entries) as Record<K, string>;
}
