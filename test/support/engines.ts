/** Starts the three engines for tests or benchmarks on free ports, unless the environment already has their addresses. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FieldValue, Firestore } from '@google-cloud/firestore';
import { removeLeftovers } from '../../infra/local/engines/containers.ts';
import type { Engine } from '../../infra/local/engines/engine.ts';
import { startFirestore } from '../../infra/local/engines/firestore.ts';
import { startKafka } from '../../infra/local/engines/kafka.ts';
import { startStorage } from '../../infra/local/engines/storage.ts';
import { freePort } from '../../infra/local/ports.ts';

const LOCAL = join(import.meta.dirname, '../../.local');

export interface Engines {
  readonly addresses: { readonly firestore: string; readonly storage: string; readonly kafka: string };
  readonly stop: () => Promise<void>;
}

/**
 * Starts the engines concurrently and puts their addresses into the environment of this process.
 * @param purpose prefix of their folder's name below .local/
 * @param heap what the Firestore emulator may use at most
 */
export async function startEngines(purpose: string, heap: '1g' | '8g' = '1g'): Promise<Engines> {
  await mkdir(LOCAL, { recursive: true });
  const dir = await mkdtemp(join(LOCAL, `${purpose}-`));
  const place = async (name: string) => ({
    port: await freePort(),
    dataDir: join(dir, name),
    logFile: join(dir, `${name}.log`),
  });
  const starts = await Promise.allSettled([
    place('firestore').then((options) => startFirestore({ ...options, heap })),
    place('storage').then(startStorage),
    place('kafka').then(startKafka),
  ]);
  const stop = async () => {
    await Promise.all(starts.map(async (start) => start.status === 'fulfilled' && start.value.stop()));
    await rm(dir, { recursive: true, force: true });
    await removeLeftovers();
  };
  try {
    const [firestore, storage, kafka] = starts.map(addressOf) as [string, string, string];
    Object.assign(process.env, {
      FIRESTORE_EMULATOR_HOST: firestore,
      STORAGE_EMULATOR_HOST: storage,
      KAFKA_BOOTSTRAP_SERVERS: kafka,
      METADATA_SERVER_DETECTION: 'none',
    });
    await warmUp();
    return { addresses: { firestore, storage, kafka }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Runs a first transaction. It takes the emulator seconds, nearly as long as a change may take in a test. */
async function warmUp(): Promise<void> {
  const db = new Firestore({ projectId: 'demo-warm-up' });
  const doc = db.doc('warm/up');
  await db.runTransaction(async (transaction) => {
    await transaction.get(doc);
    transaction.set(doc, { at: FieldValue.serverTimestamp() });
  });
  await db.terminate();
}

function addressOf(start: PromiseSettledResult<Engine>): string {
  if (start.status === 'rejected') throw start.reason;
  return start.value.address;
}
