/** Worker processes on the test engines, with their own project and topics, and functions that fault tests need. */
import { join } from 'node:path';
import { freePort } from '../../infra/local/ports.ts';
import { launch, type Running } from '../../infra/local/process.ts';
import { namesIn } from '../../shared/kafka/topics.ts';
import { createAllTopics, kafkaCorner } from './kafka.ts';
import { patientsWorld } from './patients-world.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface Worker extends Running {
  readonly probes: string;
}

/** @param overrides environment variables of the workers that differ from the test run's */
export async function workerCorner(overrides: Record<string, string> = {}) {
  const broker = overrides['KAFKA_BOOTSTRAP_SERVERS'];
  const kafka = await kafkaCorner(broker === undefined ? {} : { KAFKA_BOOTSTRAP_SERVERS: broker });
  const world = patientsWorld();
  const { topics } = namesIn(kafka.config);
  await createAllTopics(kafka.client, topics);
  const workers = new Set<Worker>();
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    METADATA_SERVER_DETECTION: 'none',
    GOOGLE_CLOUD_PROJECT: world.project,
    GCS_IMPORT_BUCKET: `${world.project}-import`,
    COMMUNICATION_SERVICE_URL: 'http://127.0.0.1:9',
    KAFKA_TOPIC_PREFIX: kafka.prefix,
    KAFKA_GROUP_PREFIX: kafka.prefix,
    KAFKA_LOG_LEVEL: 'error',
    ...overrides,
  };
  return {
    kafka,
    world,
    environment,
    patientEvents: topics.patients,
    communicationEvents: topics.communication,
    therapistEvents: topics.therapists,
    logFile: join(ROOT, '.local', `${kafka.prefix}workers.log`),
    async startWorker(more: Record<string, string> = {}): Promise<Worker> {
      const port = await freePort();
      const running = launch({
        command: process.execPath,
        args: [join(ROOT, 'functions/kafka-worker/index.ts')],
        env: { ...environment, PORT: String(port), ...more },
        logFile: this.logFile,
      });
      const worker = { ...running, probes: `http://127.0.0.1:${port}` };
      workers.add(worker);
      return worker;
    },
    async stopWorkers(): Promise<void> {
      await Promise.all([...workers].map((worker) => worker.stop()));
    },
  };
}

export type WorkerCorner = Awaited<ReturnType<typeof workerCorner>>;

/** The HTTP status of a probe; 0 while nothing responds. */
export async function probe(worker: Worker, path: string): Promise<number> {
  return fetch(worker.probes + path).then(
    (answer) => answer.status,
    () => 0,
  );
}
