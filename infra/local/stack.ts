/**
 * The whole local stack: engines, topics, stand-ins and deployables, started in the order in which they need
 * each other. `npm start` shows one to a person; tests start others beside it, on free ports.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bucket } from '@google-cloud/storage';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { watchDropFolder } from './drop-folder.ts';
import { startFirestore } from './engines/firestore.ts';
import { startKafka } from './engines/kafka.ts';
import { startStorage } from './engines/storage.ts';
import type { Engine, EngineOptions } from './engines/engine.ts';
import { startIssuer, type Issuer } from './issuer.ts';
import { bundleDeployables, logFileOf, partsOf, type Folders, type PartName } from './parts.ts';
import { HOST, ownerOf } from './ports.ts';
import { onFreePorts, readSettings, type Settings } from './settings.ts';
import { supervise, type Supervised } from './supervisor.ts';
import { createLocalTopics } from './topics.ts';

type EngineName = 'firestore' | 'storage' | 'kafka';

/** What `.local/stack.json` says of a running stack. */
export interface StackFile {
  readonly ready: true;
  readonly project: string;
  readonly bucket: string;
  readonly api: string;
  readonly health: string;
  readonly firestore: string;
  readonly storage: string;
  readonly communication: string;
  readonly kafka: string;
  readonly tokens: Issuer['tokens'];
  readonly pids: Readonly<Partial<Record<PartName | EngineName, number>>>;
}

export interface StackOptions {
  /** Data, logs, bundles and stack.json stand below it. It must lie inside the repository. */
  readonly dir: string;
  /** Those of emulator.json, and engines that the environment names; or free ones, and engines of its own. */
  readonly ports: 'configured' | 'free';
  /** Continue on the data of an earlier run. */
  readonly keep?: boolean;
  /** Files that appear here are uploaded to `incoming/`. None: nothing is watched. */
  readonly dropFolder?: string;
  /** A sentence about a part: that it is ready, died, or was started again. */
  readonly onProgress?: (name: string, sentence: string) => void;
}

export interface Stack {
  readonly settings: Settings;
  /** The content of stack.json now. */
  describe(): StackFile;
  part(name: PartName | EngineName): Supervised;
  logFile(name: PartName | EngineName): string;
  stop(): Promise<void>;
}

/**
 * Resolves when everything is ready and stack.json is written. A start that fails has stopped what it had started.
 * @throws Error with one sentence for the user: a busy port and its owner, a missing engine, a part that did not come up
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dir, keep = false, onProgress = () => undefined } = options;
  const configured = await readSettings();
  const settings = options.ports === 'free' ? await onFreePorts(configured) : configured;
  await requireFreePorts(settings, options.ports === 'configured');
  const folders: Folders = {
    data: join(dir, 'data'),
    logs: join(dir, 'logs'),
    dist: join(dir, 'dist'),
    drop: options.dropFolder,
  };
  const stackFile = join(dir, 'stack.json');
  await rm(stackFile, { force: true });
  if (!keep)
    await Promise.all(
      [folders.data, folders.logs].map((folder) => rm(folder, { recursive: true, force: true })),
    );
  await mkdir(folders.logs, { recursive: true });

  const supervised = new Map<string, Supervised>();
  const closers: (() => Promise<void>)[] = [];
  let describe: (() => StackFile) | undefined;
  const writeStackFile = async () => {
    if (describe !== undefined) await writeFile(stackFile, `${JSON.stringify(describe(), undefined, 2)}\n`);
  };
  const stop = async () => {
    describe = undefined;
    await rm(stackFile, { force: true });
    const engines = [...supervised.values()].slice(0, 3);
    await Promise.all(closers.map((close) => close()));
    await Promise.all([...supervised.values()].slice(3).map((part) => part.stop()));
    await Promise.all(engines.map((engine) => engine.stop()));
  };
  const onChange = (event: 'died' | 'restarted', name: string) => {
    onProgress(name, event === 'died' ? 'died, starting it again' : 'is up again');
    void writeStackFile();
  };
  const bringUp = async (part: Supervised) => {
    const since = Date.now();
    await part.start();
    onProgress(part.name, `ready after ${((Date.now() - since) / 1000).toFixed(1)} s`);
  };

  try {
    const engine = (name: EngineName, start: (options: EngineOptions) => Promise<Engine>) =>
      startEngine(name, start, { settings, folders, options, onChange, supervised, bringUp });
    const [firestore, storage, kafka] = await Promise.all([
      engine('firestore', (where) => startFirestore({ ...where, project: settings.project })),
      engine('storage', startStorage),
      engine('kafka', startKafka),
      bundleDeployables(folders.dist),
    ]);
    const issuer = await startIssuer(settings.ports.issuer, join(folders.data, 'issuer.pem'));
    closers.push(() => issuer.close());
    await createLocalTopics(kafka);
    const parts = partsOf(settings, { firestore, storage, kafka }, folders).map((part) =>
      supervise(part, onChange),
    );
    for (const part of parts) supervised.set(part.name, part);
    await Promise.all(parts.map(bringUp));
    if (options.dropFolder !== undefined) {
      const watcher = await watchDropFolder(options.dropFolder, importBucket(settings, storage));
      closers.push(() => watcher.close());
    }
    const { ports, project, bucket } = settings;
    const at = (port: number) => `http://${HOST}:${port}`;
    describe = () => ({
      ready: true,
      project,
      bucket,
      api: at(ports.api),
      health: at(ports.health),
      firestore: `http://${firestore}`,
      storage,
      communication: at(ports.communication),
      kafka,
      tokens: issuer.tokens,
      pids: Object.fromEntries(
        [...supervised].map(([name, { pid }]) => [name, pid]).filter(([, pid]) => pid !== undefined),
      ) as StackFile['pids'],
    });
    await writeStackFile();
    const described = describe;
    return {
      settings,
      describe: described,
      part: (name) => {
        const part = supervised.get(name);
        if (part === undefined) throw new Error(`the stack has no part ${name}`);
        return part;
      },
      logFile: (name) => logFileOf(folders, name),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startEngine(
  name: EngineName,
  start: (options: EngineOptions) => Promise<Engine>,
  {
    settings,
    folders,
    options,
    onChange,
    supervised,
    bringUp,
  }: {
    settings: Settings;
    folders: Folders;
    options: StackOptions;
    onChange: (event: 'died' | 'restarted', name: string) => void;
    supervised: Map<string, Supervised>;
    bringUp: (part: Supervised) => Promise<void>;
  },
): Promise<string> {
  let address = '';
  const part = supervise(
    {
      name,
      start: async () => {
        const engine = await start({
          port: settings.ports[name],
          dataDir: join(folders.data, name),
          logFile: logFileOf(folders, name),
          useGiven: options.ports === 'configured',
        });
        ({ address } = engine);
        return engine;
      },
    },
    onChange,
  );
  supervised.set(name, part);
  await bringUp(part);
  return address;
}

const givenBy: Readonly<Record<string, string>> = {
  firestore: 'FIRESTORE_EMULATOR_HOST',
  storage: 'STORAGE_EMULATOR_HOST',
  kafka: 'KAFKA_BOOTSTRAP_SERVERS',
};

async function requireFreePorts({ ports }: Settings, useGiven: boolean): Promise<void> {
  const busy: string[] = [];
  for (const [name, port] of Object.entries(ports)) {
    const variable = givenBy[name];
    if (useGiven && variable !== undefined && process.env[variable] !== undefined) continue;
    const owner = await ownerOf(port);
    if (owner !== undefined) busy.push(`port ${port} (${name}) is taken by ${owner}`);
  }
  if (busy.length > 0)
    throw new Error(`The stack cannot start: ${busy.join('; ')}. Ports stand in emulator.json.`);
}

function importBucket({ project, bucket }: Settings, storage: string): Bucket {
  return connectBucket({
    GOOGLE_CLOUD_PROJECT: project,
    GCS_IMPORT_BUCKET: bucket,
    STORAGE_EMULATOR_HOST: storage,
  });
}
