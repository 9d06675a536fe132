/** Kafka's own Java client and kcat, for tests that need a client other than ours. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kafkaClassPath, whyNoApacheKafka } from '../../infra/local/engines/kafka-jars.ts';

const run = promisify(execFile);
const SOURCE = join(import.meta.dirname, 'KafkaTool.java');

const brokers = () => process.env['KAFKA_BOOTSTRAP_SERVERS'] ?? '';

/** @param args see KafkaTool.java */
export async function kafkaTool(...args: readonly string[]): Promise<void> {
  await run('java', ['-cp', await kafkaClassPath(), SOURCE, brokers(), ...args]);
}

/** Publishes one message with kcat. @param value undefined publishes a tombstone */
export async function kcat(topic: string, value: string, ...options: readonly string[]): Promise<void> {
  const child = run('kcat', ['-b', brokers(), '-P', '-t', topic, ...options]);
  child.child.stdin?.end(value);
  await child;
}

/** Whether tests that need Apache Kafka's own programs or brokers cannot run here. Then prints the reason. */
export async function withoutApacheKafka(what: string): Promise<boolean> {
  const reason = await whyNoApacheKafka();
  if (reason !== undefined) console.warn(`SKIPPED: ${what}, because ${reason}.`);
  return reason !== undefined;
}

/** Whether a program is installed on this machine. */
export const has = (program: string): Promise<boolean> =>
  run('which', [program]).then(
    () => true,
    () => false,
  );
