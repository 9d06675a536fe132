/**
 * Engines as Docker containers. Each bears the process that started it and each volume the folder that it stands for, in labels: what a
 * killed process has left behind is found by them and removed.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { HOST } from '../ports.ts';
import { launch, run, type Running } from '../process.ts';
import type { EngineOptions } from './engine.ts';

const OWNER = 'patient-service.pid';
const FOLDER = 'patient-service.folder';

export type ContainerName = 'firestore' | 'kafka';

/** The image of an engine, as images.yaml names it. */
export async function imageOf(name: ContainerName): Promise<string> {
  const images = parse(await readFile(join(import.meta.dirname, 'images.yaml'), 'utf8')) as Record<
    ContainerName,
    { name: string }
  >;
  return images[name].name;
}

/** Fetches the image unless it is here. @throws Error with what Docker says */
export async function fetchImage(name: ContainerName): Promise<void> {
  const image = await imageOf(name);
  const isHere = await run('docker', ['image', 'inspect', image]).then(
    () => true,
    () => false,
  );
  if (isHere) return;
  console.error(`${name.padEnd(10)} downloading ${image}`);
  await run('docker', ['pull', '--quiet', image]);
}

export interface Container {
  readonly name: ContainerName;
  /** The port on which the engine listens in the container. */
  readonly port: number;
  /** Arguments of `docker run` before the image. */
  readonly options: readonly string[];
  /** What runs in the container. */
  readonly command: readonly string[];
}

/** Runs an engine at `HOST:port`, in place of one that a killed process has left there. */
export async function runContainer(container: Container, { port, logFile }: EngineOptions): Promise<Running> {
  const name = `patient-service-${container.name}-${port}`;
  await removeLeftovers();
  await quietly('rm', '--force', '--volumes', name);
  const client = launch({
    command: 'docker',
    args: [
      'run',
      '--rm',
      '--init',
      `--name=${name}`,
      `--label=${OWNER}=${process.pid}`,
      `--publish=${HOST}:${port}:${container.port}`,
      ...container.options,
      await imageOf(container.name),
      ...container.command,
    ],
    logFile,
  });
  // A signal to the client would not end the container in every case.
  const ended = async (...how: string[]) => {
    await quietly(...how, name);
    await client.exited;
  };
  return { ...client, stop: () => ended('stop', '-t', '10'), kill: () => ended('kill') };
}

/**
 * The volume that keeps an engine's data as long as `folder` exists, for an image whose user cannot write to our folders. A folder that
 * is new begins with an empty one.
 */
export async function volumeFor(name: ContainerName, folder: string): Promise<string> {
  const volume = `patient-service-${name}-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
  if (!existsSync(folder)) await quietly('volume', 'rm', '--force', volume);
  await mkdir(folder, { recursive: true });
  await run('docker', ['volume', 'create', `--label=${FOLDER}=${folder}`, volume]);
  return volume;
}

/** Removes containers whose process is gone, and volumes whose folder is gone. */
export async function removeLeftovers(): Promise<void> {
  const containers = await list('ps', '--all', OWNER, '{{.Names}}');
  for (const [name, pid] of containers) {
    if (!isAlive(Number(pid))) await quietly('rm', '--force', '--volumes', name);
  }
  const volumes = await list('volume', 'ls', FOLDER, '{{.Name}}');
  for (const [name, folder] of volumes) {
    if (!existsSync(folder)) await quietly('volume', 'rm', '--force', name);
  }
}

/** Names of what has the label, and the label's value. */
async function list(...[command, option, label, name]: [string, string, string, string]) {
  const format = `${name}\t{{.Label "${label}"}}`;
  const out = await quietly(command, option, `--filter=label=${label}`, `--format=${format}`);
  return out
    .split('\n')
    .filter((line) => line.includes('\t'))
    .map((line) => line.split('\t') as [string, string]);
}

/** Docker's output; nothing when it fails, as it does for what is not there. */
function quietly(...args: string[]): Promise<string> {
  return run('docker', args).catch(() => '');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
