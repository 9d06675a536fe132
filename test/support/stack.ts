/**
 * A whole local stack for one test file: its own ports and folder, beside a started one, with the means to
 * look at everything it holds. Its parts are killed, stopped and started by name (`stack.part('worker')`).
 */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Firestore } from '@google-cloud/firestore';
import { Storage, type Bucket } from '@google-cloud/storage';
import { kafkaClient, type KafkaClient } from '../../shared/kafka/kafkajs.ts';
import { kafkaVariables } from '../../shared/kafka/settings.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { startStack, type Stack } from '../../infra/local/stack.ts';
import { readAll, testLog } from './kafka.ts';
import type { HistoryEntry } from './history.ts';

const LOCAL = join(import.meta.dirname, '../../.local');

export interface TestStack extends Stack {
  readonly dropFolder: string;
  readonly db: Firestore;
  readonly bucket: Bucket;
  readonly kafka: KafkaClient;
  /** What a topic holds, partition by partition. */
  history(topic: string): Promise<HistoryEntry[]>;
  /** Everything that the parts have logged so far. */
  logs(): Promise<string>;
}

export async function startTestStack(): Promise<TestStack> {
  await mkdir(LOCAL, { recursive: true });
  const dir = await mkdtemp(join(LOCAL, 'test-stack-'));
  const dropFolder = join(dir, 'drop');
  const stack = await startStack({ dir, ports: 'free', dropFolder });
  const { project, bucket, storage, kafka: broker } = stack.describe();
  const db = new Firestore({
    projectId: project,
    host: `127.0.0.1:${stack.settings.ports.firestore}`,
    ssl: false,
    customHeaders: { Authorization: 'Bearer owner' },
  });
  const config = await readConfig(kafkaVariables, { KAFKA_BOOTSTRAP_SERVERS: broker });
  const kafka = kafkaClient(config, testLog());
  return {
    ...stack,
    dropFolder,
    db,
    bucket: bucketAt(storage, project, bucket),
    kafka,
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

/** The client prefers the environment's emulator, which is the test run's, for half of its calls. */
function bucketAt(url: string, projectId: string, name: string): Bucket {
  const shared = process.env['STORAGE_EMULATOR_HOST'];
  process.env['STORAGE_EMULATOR_HOST'] = url;
  try {
    return new Storage({ projectId }).bucket(name);
  } finally {
    process.env['STORAGE_EMULATOR_HOST'] = shared;
  }
}
