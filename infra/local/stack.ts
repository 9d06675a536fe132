/**
 * The whole local stack: engines, topics, stand-ins and deployables, started in the order in which they need
 * each other. `npm start` shows one to a person; tests start others beside it, on free ports.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { watchDropFolder } from './drop-folder.ts';
import { enginesOf, isGiven, requireFreePorts, type EngineName } from './engine-parts.ts';
import { removeLeftovers } from './engines/containers.ts';
import type { EngineAddresses } from './environment.ts';
import { startIssuer, type Issuer } from './issuer.ts';
import { startPage } from './page/index.ts';
import { bundleDeployables, logFileOf, partsOf, type Folders, type PartName } from './parts.ts';
import { HOST, holdPort } from './ports.ts';
import { onFreePorts, readSettings, type Settings } from './settings.ts';
import { supervise, type Part, type Supervised } from './supervisor.ts';
import { createLocalTopics } from './topics.ts';

/** The content of `.local/stack.json` for a running stack. */
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
  /** URL of the page that shows the stack. */
  readonly page: string;
  readonly tokens: Issuer['tokens'];
  readonly pids: Readonly<Partial<Record<PartName | EngineName, number>>>;
}

export interface StackOptions {
  /** Folder for data, logs, bundles and stack.json. It must be inside the repository. */
  readonly dir: string;
  /** Either the ports of emulator.json and engines that the environment names, or free ports and its own engines. */
  readonly ports: 'configured' | 'free';
  /** Continue on the data of an earlier run. */
  readonly keep?: boolean;
  /** Folder whose files are uploaded to `incoming/`; undefined: no folder is watched. */
  readonly dropFolder?: string;
  /** Addresses that the parts use instead of the engines' own, such as those of proxies. */
  readonly between?: (engines: EngineAddresses) => Promise<EngineAddresses>;
  /** Called with a sentence about a part: it is ready, it died, or it was started again. */
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
 * Resolves when everything is ready and stack.json is written. A failed start stops the parts that it had started.
 * @throws Error with one sentence for the user: a busy port and its owner, a missing engine, a part that did not start
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const configured = await readSettings();
  const useGiven = options.ports === 'configured';
  const settings = useGiven ? configured : await onFreePorts(configured);
  // A container left by a killed stack would hold the ports.
  await removeLeftovers();
  await requireFreePorts(settings, useGiven);
  // Holds the issuer's port until it starts: a second start in this folder fails here, before it deletes the first's data.
  const releasePort = await holdPort(settings.ports.issuer);
  const folders = await prepareFolders(options);
  const stackFile = join(options.dir, 'stack.json');
  const onProgress = options.onProgress ?? (() => undefined);
  const running = new Map<string, Supervised>();
  const stops: (() => Promise<unknown>)[] = [releasePort];
  let describe: (() => StackFile) | undefined;

  const writeStackFile = async () => {
    if (describe !== undefined) await replacePrivate(stackFile, describe());
  };
  /** Starts parts at the same time; parts are stopped in reverse order of their start. */
  const bringUp = async (parts: readonly Part[]) => {
    const supervised = parts.map((part) =>
      supervise(part, (event, name) => {
        onProgress(name, event === 'died' ? 'died, starting it again' : 'is up again');
        void writeStackFile();
      }),
    );
    for (const part of supervised) running.set(part.name, part);
    stops.unshift(() => Promise.all(supervised.map((part) => part.stop())));
    await Promise.all(
      supervised.map(async (part) => {
        const since = Date.now();
        await part.start();
        onProgress(part.name, `ready after ${((Date.now() - since) / 1000).toFixed(1)} s`);
      }),
    );
  };
  const stop = async () => {
    describe = undefined;
    await rm(stackFile, { force: true });
    for (const stopOne of stops) await stopOne();
  };

  try {
    const engines = enginesOf(settings, folders, useGiven);
    await Promise.all([bringUp(engines.parts), bundleDeployables(folders.dist)]);
    if (isGiven('storage', useGiven))
      onProgress('storage', 'was not started here: uploads are not noticed at once, the sweep imports them');
    const addresses = engines.addresses();
    await createLocalTopics(addresses.kafka);
    await releasePort();
    const issuer = await startIssuer(settings.ports.issuer, join(folders.data, 'issuer.pem'));
    stops.unshift(() => issuer.close());
    await bringUp(partsOf(settings, (await options.between?.(addresses)) ?? addresses, folders));
    if (folders.drop !== undefined) {
      const watcher = await watchDropFolder(folders.drop, importBucket(settings, addresses.storage), {
        onTrouble: (sentence) => onProgress('drop', sentence),
      });
      stops.unshift(() => watcher.close());
    }
    const description = () => describeStack(settings, addresses, issuer.tokens, running);
    describe = description;
    const stopPage = await startPage({
      settings,
      engines: addresses,
      folders,
      useGiven,
      running,
      tokens: issuer.tokens,
      addresses: () => addressesOf(description()),
      onPartChange: () => void writeStackFile(),
    });
    stops.unshift(stopPage);
    await writeStackFile();
    return {
      settings,
      describe: description,
      part: (name) => {
        const part = running.get(name);
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

/** Writes a file atomically and readable by its owner only, since it holds tokens; permissions of an older file are lost. */
async function replacePrivate(file: string, content: object): Promise<void> {
  const next = `${file}.${randomUUID()}`;
  await writeFile(next, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  await rename(next, file);
}

async function prepareFolders({ dir, keep = false, dropFolder }: StackOptions): Promise<Folders> {
  const [data, logs] = [join(dir, 'data'), join(dir, 'logs')];
  await rm(join(dir, 'stack.json'), { force: true });
  if (!keep) {
    await Promise.all([data, logs].map((folder) => rm(folder, { recursive: true, force: true })));
  }
  await mkdir(logs, { recursive: true });
  // The folder holds files and mails of people, even if they are invented.
  await mkdir(data, { recursive: true, mode: 0o700 });
  return { data, logs, dist: join(dir, 'dist'), drop: dropFolder };
}

function describeStack(
  { project, bucket, ports }: Settings,
  { firestore, storage, kafka }: EngineAddresses,
  tokens: Issuer['tokens'],
  running: ReadonlyMap<string, Supervised>,
): StackFile {
  const at = (port: number) => `http://${HOST}:${port}`;
  const pids = [...running].map(([name, { pid }]) => [name, pid]).filter(([, pid]) => pid !== undefined);
  return {
    ready: true,
    project,
    bucket,
    api: at(ports.api),
    health: at(ports.health),
    firestore: `http://${firestore}`,
    storage,
    communication: at(ports.communication),
    kafka,
    page: at(ports.page),
    tokens,
    pids: Object.fromEntries(pids) as StackFile['pids'],
  };
}

/** The description of a running stack for people: without tokens and process ids. */
export function addressesOf({ project, bucket, page, api, health, ...rest }: StackFile) {
  const { firestore, storage, communication, kafka } = rest;
  return { page, api, health, communication, kafka, firestore, storage, project, bucket };
}

function importBucket({ project, bucket }: Settings, storage: string) {
  return connectBucket({
    GOOGLE_CLOUD_PROJECT: project,
    GCS_IMPORT_BUCKET: bucket,
    STORAGE_EMULATOR_HOST: storage,
  });
}
