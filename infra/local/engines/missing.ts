/** One message that lists every tool that this machine lacks to start the engines, and how to install it. */
import { readFileSync } from 'node:fs';
import { isGivenByEnvironment } from './engine.ts';
import { imageOf } from './containers.ts';
import { findDocker, findFirestoreJar, findJava, findKafkaJars, type Finding } from './machine.ts';

/** The state of each tool on this machine. */
export interface Tools {
  readonly java: Finding;
  readonly firestoreJar: Finding;
  /** Maven, or the jars that it downloaded before. */
  readonly kafkaJars: Finding;
  readonly docker: Finding;
}

export type Platform = 'debian' | 'linux' | 'macos' | 'windows';

/** A failure although every tool is installed. */
export interface Trouble {
  readonly engine: string;
  readonly error: unknown;
}

/** @param trouble a failure although the tools are installed, such as a failed download */
export async function missingTools(trouble?: Trouble): Promise<Error> {
  const [java, firestoreJar, kafkaJars, docker] = await Promise.all([
    findJava(),
    findFirestoreJar(),
    findKafkaJars(),
    findDocker(),
  ]);
  const tools = { java, firestoreJar, kafkaJars, docker };
  const wanted = {
    firestore: !isGivenByEnvironment('firestore'),
    kafka: !isGivenByEnvironment('kafka'),
  };
  const images = await Promise.all([imageOf('firestore'), imageOf('kafka')]);
  const cause = trouble === undefined ? {} : { cause: trouble.error };
  return new Error(describeMissing(tools, wanted, platformOf(), images, trouble), cause);
}

/** Builds the whole message. Pure. @param images the images that Docker would run */
export function describeMissing(
  { java, firestoreJar, kafkaJars, docker }: Tools,
  wanted: { readonly firestore: boolean; readonly kafka: boolean },
  platform: Platform,
  images: readonly string[],
  trouble?: Trouble,
): string {
  const engines = [
    ...(wanted.firestore ? ['the Firestore emulator'] : []),
    ...(wanted.kafka ? ['Kafka'] : []),
  ].join(' and ');
  const lacking = [
    ...reasonOf(java, wanted.firestore && wanted.kafka ? 'both' : engines),
    ...(wanted.firestore ? reasonOf(firestoreJar, 'the Firestore emulator') : []),
    ...(wanted.kafka ? reasonOf(kafkaJars, 'Kafka') : []),
    ...reasonOf(docker, 'both, in place of all of these'),
    ...(trouble === undefined ? [] : [`${trouble.engine}: ${firstLine(trouble.error)}`]),
  ];
  const names = [
    ...(wanted.firestore ? ['FIRESTORE_EMULATOR_HOST'] : []),
    ...(wanted.kafka ? ['KAFKA_BOOTSTRAP_SERVERS'] : []),
  ];
  return [
    `This machine cannot start ${engines}. What is missing:`,
    ...lacking.map((line) => `  - ${line}`),
    'Do one of these:',
    `  - install everything:  ${installation(platform, { java, firestoreJar, kafkaJars }, wanted)}`,
    `  - use Docker alone:    ${byDocker(docker, platform)} (it runs ${images.join(' and ')})`,
    `  - name engines that run elsewhere: ${names.join(', ')}`,
  ].join('\n');
}

function reasonOf(finding: Finding, purpose: string): string[] {
  return finding === 'ok' ? [] : [`${finding.reason} (for ${purpose})`];
}

/** One command that installs everything that is missing. */
function installation(
  platform: Platform,
  tools: Pick<Tools, 'java' | 'firestoreJar' | 'kafkaJars'>,
  wanted: { readonly firestore: boolean; readonly kafka: boolean },
): string {
  const java = tools.java !== 'ok';
  const maven = wanted.kafka && tools.kafkaJars !== 'ok';
  const emulator = wanted.firestore && tools.firestoreJar !== 'ok';
  const commands = (...parts: (string | false)[]) =>
    parts.filter((part) => part !== false).join(' && ') || 'nothing is missing';
  const named = (...[forJava, forMaven]: [string, string]) => [
    ...(java ? [forJava] : []),
    ...(maven ? [forMaven] : []),
  ];
  // Debian 12 has Java 17 only; Debian 13 no longer has it.
  const packages = named('openjdk-21-jre-headless | openjdk-17-jre-headless', 'maven').join(', ');
  const apt = packages !== '' && `sudo apt-get update && sudo apt-get satisfy -y '${packages}'`;
  const formulas = named('openjdk@21', 'maven').join(' ');
  const link =
    'sudo ln -sfn "$(brew --prefix)/opt/openjdk@21/libexec/openjdk.jdk" /Library/Java/JavaVirtualMachines/openjdk-21.jdk';
  const download = emulator && 'npx firebase setup:emulators:firestore';
  const others = named('Java 17 or newer', 'Maven').join(' and ');
  const byPlatform: Record<Platform, string> = {
    debian: commands(apt, download),
    macos: commands(formulas !== '' && `brew install ${formulas}`, java && link, download),
    windows: `wsl --install -d Ubuntu, and in its shell: ${commands(apt, download)}`,
    linux: commands(others !== '' && `(with your package manager: ${others})`, download),
  };
  return byPlatform[platform];
}

function byDocker(docker: Finding, platform: Platform): string {
  if (docker === 'ok') return 'it is here; connect this machine to its registries once';
  if (/may not use/.test(docker.reason)) return 'sudo usermod -aG docker "$USER", then log in again';
  const [install, start] = DOCKER[platform];
  return docker.reason.includes('not installed') ? install : start;
}

/** How to install Docker, and how to start it when it is installed. */
const DOCKER: Record<Platform, readonly [string, string]> = {
  debian: ['sudo apt-get install -y docker.io', 'sudo systemctl start docker'],
  macos: ['brew install --cask docker && open -a Docker', 'open -a Docker'],
  windows: ['winget install Docker.DockerDesktop, and start it', 'start Docker Desktop'],
  linux: ['see https://docs.docker.com/engine/install/', 'sudo systemctl start docker'],
};

function firstLine(error: unknown): string {
  return (error as Error).message.trim().split('\n')[0] ?? '';
}

function platformOf(): Platform {
  if (process.platform === 'darwin') return 'macos';
  if (process.platform === 'win32') return 'windows';
  try {
    const release = readFileSync('/etc/os-release', 'utf8');
    return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(release) ? 'debian' : 'linux';
  } catch {
    return 'linux';
  }
}
