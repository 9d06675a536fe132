/** Finds the tools that start engines on this machine, and says why one cannot be used. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { run } from '../process.ts';

/** The oldest major version of Java that runs the engines. */
export const JAVA_AT_LEAST = 17;
/** Milliseconds to wait for Docker: a daemon that hangs counts as missing. */
const DOCKER_ANSWERS_WITHIN_MS = 15_000;

/** `ok`, or a sentence that says what is wrong. */
export type Finding = 'ok' | { readonly reason: string };

export async function findJava(): Promise<Finding> {
  if (!(await isOnPath('java'))) return { reason: 'Java is not installed' };
  // On standard error: `openjdk version "17.0.15" 2025-04-15`, or `java version "1.8.0_412"`. macOS ships a `java` that only asks to install one.
  const said = await run('java', ['-XshowSettings:none', '-version'], { both: true }).catch(() => '');
  const version = /version "(?:1\.)?(\d+)[^"]*"/.exec(said);
  if (version === null) return { reason: 'there is a `java`, but it does not run (no Java behind it)' };
  if (Number(version[1]) >= JAVA_AT_LEAST) return 'ok';
  return { reason: `Java ${version[1]} is too old: version ${JAVA_AT_LEAST} or newer is needed` };
}

async function findMaven(): Promise<Finding> {
  if (!(await isOnPath('mvn'))) return { reason: 'Maven is not installed' };
  const runs = await run('mvn', ['-version']).then(
    () => true,
    () => false,
  );
  return runs ? 'ok' : { reason: 'Maven is installed, but does not run (it needs Java)' };
}

export async function findDocker(): Promise<Finding> {
  if (!(await isOnPath('docker'))) return { reason: 'Docker is not installed' };
  try {
    // Unlike `docker info`, this command fails in every release when no daemon answers.
    await run('docker', ['version', '--format', '{{.Server.Version}}'], {
      signal: AbortSignal.timeout(DOCKER_ANSWERS_WITHIN_MS),
    });
    return 'ok';
  } catch (error) {
    const said = (error as Error).message;
    if (/permission denied/i.test(said))
      return { reason: 'Docker is installed, but this user may not use it (not in the group `docker`)' };
    return { reason: 'Docker is installed, but its daemon is not running' };
  }
}

/** The emulator's jar: gcloud's, or the newest that firebase-tools has downloaded. */
export async function firestoreJar(): Promise<string | undefined> {
  const gcloud = await gcloudRoot();
  const jar = join(gcloud ?? '', 'platform/cloud-firestore-emulator/cloud-firestore-emulator.jar');
  if (gcloud !== undefined && existsSync(jar)) return jar;
  const cache = process.env['FIREBASE_EMULATORS_PATH'] ?? join(homedir(), '.cache/firebase/emulators');
  const newest = (await readdir(cache).catch(() => []))
    .filter((name) => /^cloud-firestore-emulator-.*\.jar$/.test(name))
    .sort()
    .at(-1);
  return newest === undefined ? undefined : join(cache, newest);
}

export async function findFirestoreJar(): Promise<Finding> {
  if ((await firestoreJar()) !== undefined) return 'ok';
  const gcloud =
    (await gcloudRoot()) === undefined
      ? 'the Google Cloud CLI is not installed'
      : 'the Google Cloud CLI is here without its component cloud-firestore-emulator';
  return { reason: `${gcloud}, and firebase-tools has not downloaded the emulator` };
}

export const KAFKA_POM = join(import.meta.dirname, '../pom.xml');

/** The file that caches the class path of Apache Kafka, until the pom changes. */
export async function kafkaClassPathFile(): Promise<string> {
  const pom = await readFile(KAFKA_POM);
  const version = createHash('sha256').update(pom).digest('hex').slice(0, 12);
  return join(import.meta.dirname, `../../../.local/downloads/kafka-${version}.classpath`);
}

/** The class path of Apache Kafka, if an earlier run has downloaded it. */
export async function kafkaJars(): Promise<string | undefined> {
  const known = await readFile(await kafkaClassPathFile(), 'utf8').catch(() => '');
  return known !== '' && known.split(':').every((jar) => existsSync(jar)) ? known : undefined;
}

/** The jars, or Maven to download them. */
export async function findKafkaJars(): Promise<Finding> {
  return (await kafkaJars()) === undefined ? findMaven() : 'ok';
}

async function gcloudRoot(): Promise<string | undefined> {
  for (const folder of foldersOfPath()) {
    const gcloud = await realpath(join(folder, 'gcloud')).catch(() => undefined);
    if (gcloud !== undefined) return join(gcloud, '../..');
  }
  return undefined;
}

async function isOnPath(program: string): Promise<boolean> {
  return foldersOfPath().some((folder) => existsSync(join(folder, program)));
}

const foldersOfPath = () => (process.env['PATH'] ?? '').split(delimiter);
