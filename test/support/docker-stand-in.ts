/**
 * A stand-in for `docker` on the PATH. It keeps track of containers and volumes as Docker does. Instead of images it starts the
 * engines themselves with this machine's Java, on the published port, with the data of the volume.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vi } from 'vitest';
import { standIns, type Answer } from '../../infra/deploy/stand-in/programs.ts';
import { startApacheKafka } from '../../infra/local/engines/kafka.ts';
import { firestoreJar } from '../../infra/local/engines/machine.ts';
import { launch, run, type Running } from '../../infra/local/process.ts';

export interface DockerStandIn extends AsyncDisposable {
  /** The arguments of `docker run`. */
  readonly runs: string[][];
  readonly containers: Map<string, { readonly labels: readonly string[]; readonly engine?: Running }>;
  readonly volumes: Map<string, { readonly labels: readonly string[] }>;
}

/** The images that the registry knows. */
const IMAGES = /google-cloud-cli|redpanda/;
const OLD_JAVA = 'openjdk version "11.0.2" 2019-01-15';

/**
 * Puts the stand-in on the PATH until it is disposed of.
 * @param java with `old`, Java reports a version that is too old
 */
export async function dockerStandIn({
  java = 'real',
}: { java?: 'real' | 'old' } = {}): Promise<DockerStandIn> {
  const realJava = (await run('which', ['java'])).trim();
  const runs: string[][] = [];
  const containers: DockerStandIn['containers'] = new Map();
  const volumes: DockerStandIn['volumes'] = new Map();

  async function answer(args: readonly string[]): Promise<Answer> {
    const [command = '', second = ''] = args;
    const last = args.at(-1) ?? '';
    switch (command === 'volume' || command === 'image' ? `${command} ${second}` : command) {
      case 'version':
        return { stdout: '28.0.1\n' };
      case 'image inspect':
        return { code: 1 };
      case 'pull':
        return IMAGES.test(last) ? {} : { code: 1, stderr: 'manifest unknown' };
      case 'ps':
        return { stdout: listed(containers, args) };
      case 'volume ls':
        return { stdout: listed(volumes, args) };
      case 'volume create':
        volumes.set(last, { labels: valuesOf(args, '--label') });
        await mkdir(join(programs.folder, last), { recursive: true });
        return {};
      case 'volume rm':
        volumes.delete(last);
        await rm(join(programs.folder, last), { recursive: true, force: true });
        return {};
      case 'rm':
      case 'kill':
        await containers.get(last)?.engine?.kill();
        containers.delete(last);
        return {};
      case 'stop':
        await containers.get(last)?.engine?.stop();
        return {};
      case 'run':
        return runContainer(args);
      default:
        return { code: 125, stderr: `the stand-in does not know docker ${command}` };
    }
  }

  async function runContainer(args: readonly string[]): Promise<Answer> {
    const [name = ''] = valuesOf(args, '--name');
    if (containers.has(name)) return { code: 125, stderr: `the name ${name} is in use` };
    runs.push([...args]);
    const labels = valuesOf(args, '--label');
    containers.set(name, { labels });
    const port = Number(valuesOf(args, '--publish')[0]?.split(':')[1]);
    const engine = await (name.includes('kafka') ? kafka(args, port) : firestore(args, port));
    containers.set(name, { labels, engine });
    await engine.exited;
    // Because of --rm.
    containers.delete(name);
    return {};
  }

  function kafka(args: readonly string[], port: number): Promise<Running> {
    const volume = valuesOf(args, '--volume')[0]?.split(':')[0] ?? '';
    const dataDir = join(programs.folder, volume);
    return startApacheKafka({ port, dataDir, logFile: join(programs.folder, 'kafka.log') });
  }

  async function firestore(args: readonly string[], port: number): Promise<Running> {
    const seed = args
      .find((arg) => arg.startsWith('--import-data='))
      ?.replace('--import-data', '--seed_from_export');
    const main = 'com.google.cloud.datastore.emulator.firestore.CloudFirestore';
    return launch({
      command: realJava,
      args: [
        '-Xmx512m',
        '-cp',
        (await firestoreJar()) ?? '',
        main,
        '--host=127.0.0.1',
        `--port=${port}`,
        ...(seed === undefined ? [] : [seed]),
      ],
      logFile: join(programs.folder, 'firestore.log'),
    });
  }

  const programs = await standIns(['docker'], ({ args }) => answer(args));
  if (java === 'old') {
    const script = `#!/bin/sh\ncase "$*" in *-version*) echo '${OLD_JAVA}' >&2 ;; *) exec ${realJava} "$@" ;; esac\n`;
    await writeFile(join(programs.folder, 'java'), script, { mode: 0o755 });
  }
  vi.stubEnv('PATH', programs.path);
  return {
    runs,
    containers,
    volumes,
    async [Symbol.asyncDispose]() {
      await Promise.all([...containers.values()].map(async ({ engine }) => engine?.kill()));
      vi.unstubAllEnvs();
      await programs[Symbol.asyncDispose]();
    },
  };
}

function valuesOf(args: readonly string[], option: string): string[] {
  return args.filter((arg) => arg.startsWith(`${option}=`)).map((arg) => arg.slice(option.length + 1));
}

/** The output for a format of `name<TAB>label`. */
function listed(
  things: ReadonlyMap<string, { readonly labels: readonly string[] }>,
  args: readonly string[],
): string {
  const label = valuesOf(args, '--filter')[0]?.replace(/^label=/, '');
  return [...things]
    .flatMap(([name, { labels }]) => {
      const found = labels.find((one) => one.startsWith(`${label}=`));
      return found === undefined ? [] : [`${name}\t${found.slice(`${label}=`.length)}\n`];
    })
    .join('');
}
