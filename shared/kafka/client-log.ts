/**
 * Converts the Kafka client's log lines to our format without personal data. Their texts contain error messages, which
 * may quote a message's headers or value, so only fixed beginnings of kafkajs's own texts and known codes are kept.
 */
import { constants } from 'node:os';
import type { Log } from '../platform/log.ts';

/** Fixed beginnings of the lines of kafkajs 2.2.4 that help an operator. */
const beginnings = [
  'Caught error when disconnecting the consumer',
  'Caught error when stopping the consumer',
  'Client side throttling in effect',
  'Closed connection',
  'Cluster has disconnected, reconnecting',
  'Connecting',
  'Connection error',
  'Connection timeout',
  'Consumer group received unsubscribed topics',
  'Consumer has joined the group',
  'Consumer is not aware of all assigned partitions, refreshing metadata',
  'Could not create topics',
  'Could not delete groups',
  'Crash',
  'Error when calling eachBatch',
  'Error while committing offsets, trying again',
  'Error while scheduling fetch manager, trying again',
  'Failed to connect to broker, reconnecting',
  'Failed to connect to seed broker, trying another broker from the list',
  'Failed to execute listener',
  'Failed to send messages',
  'Group coordinator is not ready yet, retrying',
  'Group coordinator not available, retrying',
  'Initialized producer id & epoch',
  'Invalid group coordinator, finding new group coordinator and retrying',
  'Kafka server has closed connection',
  'Offset out of range, resetting to default offset',
  'Producing to topic without metadata',
  'Request',
  'Response',
  'Restarting the consumer',
  'SASL OAUTHBEARER authentication failed',
  'SASL PLAIN authentication failed',
  'SASL SCRAM SHA512 authentication failed',
  'Stale cluster metadata, refreshing',
  'Starting',
  'Stopped',
  'The coordinator is not aware of this member, re-joining the group',
  'The group is rebalancing, re-joining',
  'Tried to find group coordinator',
  // Try the longest first: it says most.
].sort((a, b) => b.length - a.length);

const systemErrors = new Set([...Object.keys(constants.errno), 'ENOTFOUND', 'EAI_AGAIN']);

const clientErrors = new Set(
  ['', 'Protocol', 'NonRetriable', 'Connection', 'ConnectionClosed', 'RequestTimeout', 'SASLAuthentication']
    .map((kind) => `KafkaJS${kind}Error`)
    .concat(['KafkaJSNumberOfRetriesExceeded', 'KafkaJSNotImplemented', 'KafkaJSOffsetOutOfRange']),
);

/** The text reduced to the fixed beginnings of kafkajs and known codes. */
export function withoutForeignText(message: string): string {
  const text = message.slice(0, 500).replace(/^\[[A-Za-z ]{1,20}\] /, '');
  const known = beginnings.find((beginning) => text.startsWith(beginning));
  const codes = text.match(/\b(?:E[A-Z0-9_]{2,20}|KafkaJS[A-Za-z]{1,40})\b/g) ?? [];
  const kept = codes.filter((code) => systemErrors.has(code) || clientErrors.has(code));
  return [known ?? 'The Kafka client reports something else', ...new Set(kept)].join(' ');
}

/** A line as kafkajs hands it over, its level by name. Its errors are warnings, see {@link forwardLine}. */
export interface ClientLine {
  readonly namespace: string;
  readonly level: 'debug' | 'info' | 'warn';
  readonly log: { readonly message: string; readonly [extra: string]: unknown };
}

/** kafkajs logs this warning with each connection. The publisher limits the retries on purpose. */
const expected = /^Limiting retries for the idempotent producer/;

/**
 * Writes one line of the client with its topic and partition, without text that may come from a message. Its errors
 * become warnings: the code that uses the connection retries, and reports what persists.
 */
export function forwardLine(
  log: Log,
  { namespace, level, log: { message: text, groupId, topic, partition } }: ClientLine,
): void {
  if (expected.test(text)) return;
  log[level](withoutForeignText(text), {
    component: `kafkajs.${namespace}`,
    ...(typeof groupId === 'string' ? { group: groupId } : {}),
    ...(typeof topic === 'string' ? { topic } : {}),
    ...(typeof partition === 'number' ? { partition } : {}),
  });
}
