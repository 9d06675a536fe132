/**
 * The Firestore emulator: the one that FIRESTORE_EMULATOR_HOST names, or the jar of the gcloud SDK or of
 * firebase-tools' download cache, started directly (gcloud's wrapper leaves its Java child running).
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, realpath, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { HOST } from '../ports.ts';
import { launch, run } from '../process.ts';
import { untilReady } from '../ready.ts';
import { type Engine, type EngineOptions, given } from './engine.ts';

const MAIN_CLASS = 'com.google.cloud.datastore.emulator.firestore.CloudFirestore';
const SAVE_WITHIN_MS = 15_000;
const JVM = ['-Xmx1g', '-XX:+UseSerialGC', '-Duser.language=en'];

/**
 * Starts the emulator. It lives in memory: with `project`, `stop()` saves that project's documents below
 * `dataDir` and the next start loads them; a kill -9 loses what came after the last save.
 */
export async function startFirestore({
  port,
  dataDir,
  logFile,
  project,
  useGiven = true,
}: EngineOptions & { project?: string }): Promise<Engine> {
  const address = process.env['FIRESTORE_EMULATOR_HOST'];
  if (address !== undefined && useGiven) return given(address);
  const url = `http://${HOST}:${port}`;
  const saved = join(dataDir, 'firestore');
  const seed = existsSync(saved) ? [`--seed_from_export=${await exportMetadata(saved)}`] : [];
  const running = launch({
    command: 'java',
    args: [...JVM, '-cp', await findJar(), MAIN_CLASS, `--host=${HOST}`, `--port=${port}`, ...seed],
    logFile,
  });
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

/** The new export takes the place of the old one only when it is complete. */
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
    // Already dead, or hanging: then the last export is what there is.
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

async function findJar(): Promise<string> {
  await run('java', ['-version']).catch(() => {
    throw new Error(
      'The Firestore emulator needs Java 17 or newer: install it (Debian: apt-get install default-jre-headless), or set FIRESTORE_EMULATOR_HOST.',
    );
  });
  const found = (await jarOfGcloud()) ?? (await jarOfFirebaseTools());
  if (found !== undefined) return found;
  console.error('firestore  downloading the emulator');
  const firebase = join(import.meta.dirname, '../../../node_modules/firebase-tools/lib/bin/firebase.js');
  await run(process.execPath, [firebase, 'setup:emulators:firestore'], { show: true }).catch(() => undefined);
  const downloaded = await jarOfFirebaseTools();
  if (downloaded !== undefined) return downloaded;
  throw new Error(
    'The Firestore emulator is missing and could not be downloaded: run `gcloud components install cloud-firestore-emulator`, or `npx firebase setup:emulators:firestore` with internet, or set FIRESTORE_EMULATOR_HOST.',
  );
}

async function jarOfGcloud(): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const gcloud = await realpath(join(folder, 'gcloud')).catch(() => undefined);
    if (gcloud === undefined) continue;
    const sdk = join(gcloud, '../..');
    const jar = join(sdk, 'platform/cloud-firestore-emulator/cloud-firestore-emulator.jar');
    if (existsSync(jar)) return jar;
  }
  return undefined;
}

async function jarOfFirebaseTools(): Promise<string | undefined> {
  const cache = process.env['FIREBASE_EMULATORS_PATH'] ?? join(homedir(), '.cache/firebase/emulators');
  const jars = (await readdir(cache).catch(() => [])).filter((name) =>
    /^cloud-firestore-emulator-.*\.jar$/.test(name),
  );
  const newest = jars.sort().at(-1);
  return newest === undefined ? undefined : join(cache, newest);
}
