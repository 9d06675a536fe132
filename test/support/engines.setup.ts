/**
 * Starts the three engines for a test run, at the same time and on free ports, and ends them with it.
 * Addresses given by the environment are used as they are. Tests read them from the environment
 * (FIRESTORE_EMULATOR_HOST, STORAGE_EMULATOR_HOST, KAFKA_BOOTSTRAP_SERVERS) or by vitest's `inject('engines')`.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import type { Engine } from '../../infra/local/engines/engine.ts';
import { startFirestore } from '../../infra/local/engines/firestore.ts';
import { startKafka } from '../../infra/local/engines/kafka.ts';
import { startStorage } from '../../infra/local/engines/storage.ts';
import { freePort } from '../../infra/local/ports.ts';

declare module 'vitest' {
  interface ProvidedContext {
    engines: { readonly firestore: string; readonly storage: string; readonly kafka: string };
  }
}

const LOCAL = join(import.meta.dirname, '../../.local');

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await mkdir(LOCAL, { recursive: true });
  const dir = await mkdtemp(join(LOCAL, 'test-'));
  const place = async (name: string) => ({
    port: await freePort(),
    dataDir: join(dir, name),
    logFile: join(dir, `${name}.log`),
  });
  const starts = await Promise.allSettled([
    place('firestore').then(startFirestore),
    place('storage').then(startStorage),
    place('kafka').then(startKafka),
  ]);
  const stop = async () => {
    await Promise.all(starts.map(async (start) => start.status === 'fulfilled' && start.value.stop()));
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const [firestore, storage, kafka] = starts.map(addressOf) as [string, string, string];
    project.provide('engines', { firestore, storage, kafka });
    process.env['FIRESTORE_EMULATOR_HOST'] = firestore;
    process.env['STORAGE_EMULATOR_HOST'] = storage;
    process.env['KAFKA_BOOTSTRAP_SERVERS'] = kafka;
    process.env['METADATA_SERVER_DETECTION'] = 'none';
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

function addressOf(start: PromiseSettledResult<Engine>): string {
  if (start.status === 'rejected') throw start.reason;
  return start.value.address;
}
