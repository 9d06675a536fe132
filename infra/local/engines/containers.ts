/**
 * Engines as Docker containers. Labels name the process that started a container and the folder that a volume belongs to,
 * so that the leftovers of a killed process are found and removed.
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

/** The image of an engine from images.yaml. */
export async function imageOf(name: ContainerName): Promise<string> {
  const images = parse(await readFile(join(import.meta.dirname, 'images.yaml'), 'utf8')) as Record<
    ContainerName,
    { name: string }
  >;
  return images[name].name;
}

/** Pulls the image unless this machine has it. @throws Error with Docker's message */
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
  /** The command in the container. */
  readonly command: readonly string[];
}

/** Runs an engine at `HOST:port`, and replaces one that a killed process left there. */
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
  // A signal to the Docker client does not always end the container.
  const ended = async (...how: string[]) => {
    await quietly(...how, name);
    await client.exited;
  };
  return { ...client, stop: () => ended('stop', '-t', '10'), kill: () => ended('kill') };
}

/**
 * The volume that keeps an engine's data while `folder` exists, for an image whose user cannot write to our folders. A new
 * folder gets an empty volume.
 */
export async function volumeFor(name: ContainerName, folder: string): Promise<string> {
  const volume = `patient-service-${name}-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
  if (!existsSync(folder)) await quietly('volume', 'rm', '--force', volume);
  await mkdir(folder, { recursive: true });
  await run('docker', ['volume', 'create', `--label=${FOLDER}=${folder}`, volume]);
  return volume;
}

/** Removes containers whose process has ended, and volumes whose folder no longer exists. */
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

/** @returns the name of each object with the label, and the label's value */
async function list(...[command, option, label, name]: [string, string, string, string]) {
  const format = `${name}\t{{.Label "${label}"}}`;
  const out = await quietly(command, option, `--filter=label=${label}`, `--format=${format}`);
  return out
    .split('\n')
    .filter((line) => line.includes('\t'))
    .map((line) => line.split('\t') as [string, string]);
}

/** Docker's output; empty when the command fails, as it does for a missing object. */
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
