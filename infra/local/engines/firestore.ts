/**
 * The Firestore emulator: the one that FIRESTORE_EMULATOR_HOST names; with Java, the jar of the gcloud SDK or of
 * firebase-tools' download cache, started directly (gcloud's wrapper leaves its Java child running); with Docker, Google's image.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HOST } from '../ports.ts';
import { launch, run, type Running } from '../process.ts';
import { untilReady } from '../ready.ts';
import { fetchImage, runContainer } from './containers.ts';
import { type Engine, type EngineOptions, given } from './engine.ts';
import { findDocker, findJava, firestoreJar } from './machine.ts';
import { missingTools } from './missing.ts';

const MAIN_CLASS = 'com.google.cloud.datastore.emulator.firestore.CloudFirestore';
const SAVE_WITHIN_MS = 15_000;
const JVM = ['-XX:+UseSerialGC', '-Duser.language=en'];

/**
 * Starts the emulator. It lives in memory: with `project`, `stop()` saves that project's documents below
 * `dataDir` and the next start loads them; a kill -9 loses the changes since the last save.
 */
export async function startFirestore(options: EngineOptions & { project?: string }): Promise<Engine> {
  const { port, dataDir, project, useGiven = true } = options;
  const address = process.env['FIRESTORE_EMULATOR_HOST'];
  if (address !== undefined && useGiven) return given(address);
  const url = `http://${HOST}:${port}`;
  const saved = join(dataDir, 'firestore');
  const seed = existsSync(saved) ? await exportMetadata(saved) : undefined;
  const jar = await jarForJava();
  const running = await (jar === undefined ? startInDocker(options, seed) : startJar(options, jar, seed));
  await untilReady(running, 'The Firestore emulator', async () => (await fetch(url)).ok);
  return {
    ...running,
    address: `${HOST}:${port}`,
    stop: async () => {
      if (project !== undefined) await save(url, project, dataDir, saved);
      await running.stop();
    },
  };
}

async function startJar(
  { port, logFile, heap = '1g' }: EngineOptions,
  jar: string,
  seed: string | undefined,
): Promise<Running> {
  const data = seed === undefined ? [] : [`--seed_from_export=${seed}`];
  return launch({
    command: 'java',
    args: [`-Xmx${heap}`, ...JVM, '-cp', jar, MAIN_CLASS, `--host=${HOST}`, `--port=${port}`, ...data],
    logFile,
  });
}

const PORT_IN_CONTAINER = 8080;

/** Runs as this user, so that we can replace the export; mounts the folder at the same path, so that paths match. */
async function startInDocker(options: EngineOptions, seed: string | undefined): Promise<Running> {
  if ((await findDocker()) !== 'ok') throw await missingTools();
  await fetchImage('firestore').catch(async (error: unknown) => {
    throw await missingTools({ engine: 'the image of the Firestore emulator could not be fetched', error });
  });
  const { dataDir, heap = '1g' } = options;
  await mkdir(dataDir, { recursive: true });
  const user = process.getuid === undefined ? [] : [`--user=${process.getuid()}:${process.getgid?.()}`];
  return runContainer(
    {
      name: 'firestore',
      port: PORT_IN_CONTAINER,
      options: [
        ...user,
        '--env=HOME=/tmp',
        '--env=CLOUDSDK_CONFIG=/tmp/gcloud',
        `--env=JAVA_TOOL_OPTIONS=-Xmx${heap}`,
        `--volume=${dataDir}:${dataDir}`,
      ],
      command: [
        'gcloud',
        'emulators',
        'firestore',
        'start',
        '--quiet',
        `--host-port=0.0.0.0:${PORT_IN_CONTAINER}`,
        ...(seed === undefined ? [] : [`--import-data=${seed}`]),
      ],
    },
    options,
  );
}

/** Replaces the old export only when the new one is complete. */
async function save(url: string, project: string, dataDir: string, saved: string): Promise<void> {
  const fresh = `${saved}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(dataDir, { recursive: true });
  const answer = await fetch(`${url}/emulator/v1/projects/${project}:export`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      database: `projects/${project}/databases/(default)`,
      export_directory: dataDir,
      export_name: basename(fresh),
    }),
    signal: AbortSignal.timeout(SAVE_WITHIN_MS),
    // The emulator is dead or hangs: keep the last export.
  }).catch(() => undefined);
  await answer?.body?.cancel();
  if (answer?.ok !== true) return;
  await rm(saved, { recursive: true, force: true });
  await rename(fresh, saved);
}

async function exportMetadata(folder: string): Promise<string> {
  const file = (await readdir(folder)).find((name) => name.endsWith('.overall_export_metadata'));
  if (file === undefined) throw new Error(`${folder} holds no export of the Firestore emulator: remove it`);
  return join(folder, file);
}

/** The jar, downloaded if necessary; undefined when it cannot run here. */
async function jarForJava(): Promise<string | undefined> {
  if ((await findJava()) !== 'ok') return undefined;
  const found = await firestoreJar();
  if (found !== undefined) return found;
  console.error('firestore  downloading the emulator');
  const firebase = join(import.meta.dirname, '../../../node_modules/firebase-tools/lib/bin/firebase.js');
  await run(process.execPath, [firebase, 'setup:emulators:firestore'], { show: true }).catch(() => undefined);
  return firestoreJar();
}
