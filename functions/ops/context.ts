/**
 * Configuration and connections of the operators' commands. Each connection opens when a command first needs it, and
 * closes when the command ends.
 */
import { readFile } from 'node:fs/promises';
import type { Firestore } from '@google-cloud/firestore';
import { kafkaClient } from '../../shared/kafka/kafkajs.ts';
import type { Admin, KafkaClient } from '../../shared/kafka/ports.ts';
import { createPublisher, type Publisher } from '../../shared/kafka/publish.ts';
import { kafkaVariables } from '../../shared/kafka/settings.ts';
import { namesIn, type Names } from '../../shared/kafka/topics.ts';
import { readConfig, type Config } from '../../shared/platform/config.ts';
import { createLog } from '../../shared/platform/log.ts';
import type { VariableName } from '../../shared/platform/variables.ts';
import { connectFirestore } from '../../shared/store/firestore.ts';
import type { Audit } from './audit.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Context {
  readonly audit: Audit;
  /** Aborted when the command is asked to stop. */
  readonly signal: AbortSignal;
  config<K extends VariableName>(names: readonly K[]): Promise<Config<K>>;
  db(): Promise<Firestore>;
  kafka(): Promise<{ client: KafkaClient; names: Names }>;
  admin(): Promise<Admin>;
  publisher(): Promise<Publisher>;
  close(): Promise<void>;
}

/** The file in which a running local stack writes its addresses. */
const LOCAL_STACK = '.local/stack.json';

/**
 * The process's environment; if it names no project and a local stack runs in this folder, the environment of that stack.
 * If both exist, a line on standard error says that the command works on the project.
 */
export async function opsEnvironment(environment: Environment = process.env): Promise<Environment> {
  const text = await readFile(LOCAL_STACK, 'utf8').catch(() => undefined);
  if (text === undefined) return environment;
  const stack = JSON.parse(text) as Record<'project' | 'bucket' | 'firestore' | 'storage' | 'kafka', string>;
  const project = environment['GOOGLE_CLOUD_PROJECT'];
  if (project !== undefined) {
    process.stderr.write(
      `Working on project ${project} from GOOGLE_CLOUD_PROJECT, not on the local stack.\n`,
    );
    return environment;
  }
  const local = {
    GOOGLE_CLOUD_PROJECT: stack.project,
    GCS_IMPORT_BUCKET: stack.bucket,
    FIRESTORE_EMULATOR_HOST: stack.firestore.replace(/^https?:\/\//, ''),
    STORAGE_EMULATOR_HOST: stack.storage,
    KAFKA_BOOTSTRAP_SERVERS: stack.kafka,
    METADATA_SERVER_DETECTION: 'none',
  };
  // Google's clients read the process's environment themselves.
  Object.assign(process.env, local);
  return { ...environment, ...local };
}

export function openContext(environment: Environment, audit: Audit, signal: AbortSignal): Context {
  const opened: (() => Promise<unknown>)[] = [];
  const config: Context['config'] = (names) => readConfig(names, environment);
  /** Opens on first use, and registers how to close. */
  const once = <T>(open: () => Promise<T>, close: (resource: T) => Promise<unknown>) => {
    let resource: Promise<T> | undefined;
    return () => {
      if (resource === undefined) {
        const opening = open();
        resource = opening;
        opened.push(() => opening.then(close).catch(() => undefined));
      }
      return resource;
    };
  };
  const kafka = once(
    async () => {
      const settings = await config(kafkaVariables);
      // Standard output holds the answer only.
      const log = createLog({ service: 'ops', project: '', destination: process.stderr, level: 'error' });
      return { client: kafkaClient(settings, log, 'patient-service-ops'), names: namesIn(settings) };
    },
    async () => undefined,
  );
  return {
    audit,
    signal,
    config,
    kafka,
    db: once(
      async () => connectFirestore(await config(['GOOGLE_CLOUD_PROJECT'])),
      (db) => db.terminate(),
    ),
    admin: once(
      async () => (await kafka()).client.admin(),
      (admin) => admin.close(),
    ),
    publisher: once(
      async () => createPublisher((await kafka()).client),
      (publisher) => publisher.close(),
    ),
    close: async () => {
      await Promise.all(opened.map((close) => close()));
    },
  };
}
