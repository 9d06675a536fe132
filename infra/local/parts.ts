/**
 * The parts of the local stack besides the engines, one row each: the command, the port, and when it is ready.
 */
import { stop as stopBundler } from 'esbuild';
import { join } from 'node:path';
import { bundle, deployables, type Deployable } from '../bundle.ts';
import { finalizedJournal } from './engines/storage.ts';
import { environmentOf, type EngineAddresses } from './environment.ts';
import { HOST, isListening } from './ports.ts';
import { launch } from './process.ts';
import { untilReady } from './ready.ts';
import type { Ports, Settings } from './settings.ts';
import type { Part } from './supervisor.ts';

export type PartName = 'communication' | 'eventarc' | 'scheduler' | 'import' | 'api' | 'health' | 'worker';

interface Row {
  readonly name: PartName;
  readonly args: readonly string[];
  /** The port it listens on once it is ready; none for a part that only calls others. */
  readonly port?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** The folders that the stack writes to and watches. */
export interface Folders {
  readonly data: string;
  readonly logs: string;
  /** The bundles of `npm run build`, made for this stack. */
  readonly dist: string;
  /** The watched folder, if any. */
  readonly drop: string | undefined;
}

const LOOPBACK = new URL('loopback.ts', import.meta.url).href;

/** Which deployable is which part. */
const functions = {
  import: 'import-registration',
  api: 'patients-api',
  health: 'check-health',
} as const satisfies Partial<Record<PartName, Deployable>>;

/** Bundles what is deployed into `dist`. */
export async function bundleDeployables(dist: string): Promise<void> {
  const names = Object.keys(deployables) as Deployable[];
  await Promise.all(names.map((name) => bundle(name, dist)));
  // Otherwise esbuild's service process stays beside the stack with all its memory.
  await stopBundler();
}

export function partsOf(settings: Settings, engines: EngineAddresses, folders: Folders): Part[] {
  const env = { ...environmentOf(settings, engines), PATIENT_IMPORT_LOCAL_PATH: folders.drop };
  return rows(settings, folders).map((row) => ({ name: row.name, start: () => startRow(row, env, folders) }));
}

function rows({ ports, bucket }: Settings, { data, dist }: Folders): Row[] {
  const script = (name: string) => join(import.meta.dirname, name);
  const named = (name: string) => join(data, name);
  return [
    {
      name: 'communication',
      args: [script('communication/index.ts')],
      port: ports.communication,
      env: { PORT: String(ports.communication), DATA_DIR: named('communication') },
    },
    {
      name: 'eventarc',
      args: [
        script('eventarc.ts'),
        finalizedJournal(named('storage')),
        join(named('eventarc'), 'delivered.jsonl'),
        `http://${HOST}:${ports.import}/`,
        bucket,
      ],
    },
    { name: 'scheduler', args: [script('scheduler.ts'), `http://${HOST}:${ports.health}/run`] },
    ...(Object.keys(functions) as (keyof typeof functions)[]).map((name) => functionRow(name, ports, dist)),
    {
      name: 'worker',
      args: [join(dist, 'kafka-worker', 'index.js')],
      port: ports.worker,
      env: { PORT: String(ports.worker) },
    },
  ];
}

/** As on Cloud Run: functions-framework finds its function by the environment. */
function functionRow(name: keyof typeof functions, ports: Ports, dist: string): Row {
  const deployable = functions[name];
  return {
    name,
    args: [join(dist, deployable, 'main.js'), `--source=${join(dist, deployable)}`],
    port: ports[name],
    env: { FUNCTION_TARGET: deployables[deployable], PORT: String(ports[name]) },
  };
}

async function startRow(row: Row, env: NodeJS.ProcessEnv, folders: Folders) {
  const running = launch({
    command: process.execPath,
    args: ['--import', LOOPBACK, ...row.args],
    env: { ...env, ...row.env },
    logFile: logFileOf(folders, row.name),
  });
  const { port } = row;
  if (port !== undefined) await untilReady(running, `${row.name} (see its log)`, () => isListening(port));
  return running;
}

export function logFileOf(folders: Folders, name: string): string {
  return join(folders.logs, `${name}.log`);
}
