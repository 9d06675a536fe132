/**
 * A whole local stack for one test file, with its own ports and folder, so it can run beside another one. Has functions to
 * inspect everything in it. Parts are killed, stopped and started by name (`stack.part('worker')`).
 */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Firestore } from '@google-cloud/firestore';
import { Storage, type Bucket } from '@google-cloud/storage';
import { kafkaClient } from '../../shared/kafka/kafkajs.ts';
import type { KafkaClient } from '../../shared/kafka/ports.ts';
import { kafkaVariables } from '../../shared/kafka/settings.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { headersOf } from '../../infra/local/eventarc.ts';
import { startStack, type Stack, type StackOptions } from '../../infra/local/stack.ts';
import { readAll, testLog } from './kafka.ts';
import type { HistoryEntry } from './history.ts';

const LOCAL = join(import.meta.dirname, '../../.local');

/** An object as described by the bucket. Numbers may be strings. */
interface DeliveredObject {
  readonly name?: string;
  readonly generation?: string | number;
  readonly size?: string | number;
  readonly timeCreated?: string;
}

export interface TestStack extends Stack {
  readonly dropFolder: string;
  readonly db: Firestore;
  readonly bucket: Bucket;
  readonly kafka: KafkaClient;
  /** Sends an object's storage event to the import function, as Eventarc would. */
  deliver(object: DeliveredObject, headers?: Record<string, string>): Promise<Response>;
  /** The messages of a topic, partition by partition. */
  history(topic: string): Promise<HistoryEntry[]>;
  /** All log lines of the parts so far. */
  logs(): Promise<string>;
}

export async function startTestStack(options: Pick<StackOptions, 'between'> = {}): Promise<TestStack> {
  await mkdir(LOCAL, { recursive: true });
  const dir = await mkdtemp(join(LOCAL, 'test-stack-'));
  const dropFolder = join(dir, 'drop');
  const stack = await startStack({ dir, ports: 'free', dropFolder, ...options });
  const { project, bucket: bucketName, storage, kafka: broker } = stack.describe();
  // Both clients would prefer the emulators in the environment, which belong to the test run.
  const { db, bucket } = withEnvironment(
    {
      FIRESTORE_EMULATOR_HOST: `127.0.0.1:${stack.settings.ports.firestore}`,
      STORAGE_EMULATOR_HOST: storage,
    },
    () => ({
      db: new Firestore({ projectId: project }),
      bucket: new Storage({ projectId: project }).bucket(bucketName),
    }),
  );
  const config = await readConfig(kafkaVariables, { KAFKA_BOOTSTRAP_SERVERS: broker });
  const kafka = kafkaClient(config, testLog());
  return {
    ...stack,
    dropFolder,
    db,
    bucket,
    kafka,
    deliver: ({ name = '', generation, size, timeCreated = '' }, headers = {}) => {
      const object = { bucket: bucketName, name, timeCreated };
      return fetch(`http://127.0.0.1:${stack.settings.ports.import}/`, {
        method: 'POST',
        headers: { ...headersOf({ id: randomUUID(), object }), ...headers },
        body: JSON.stringify({ ...object, generation: String(generation), size: String(size) }),
      });
    },
    history: async (topic) =>
      (await readAll(kafka, topic)).map(({ key, value }) => ({ key: String(key), value: String(value) })),
    logs: async () => {
      const folder = join(dir, 'logs');
      const files = await readdir(folder);
      return (await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))).join('\n');
    },
    stop: async () => {
      await db.terminate();
      await stack.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function withEnvironment<T>(environment: Record<string, string>, work: () => T): T {
  const before = { ...process.env };
  Object.assign(process.env, environment);
  try {
    return work();
  } finally {
    Object.assign(process.env, before);
  }
}
