/**
 * The common interface of the local stack's three engines, for tests and the supervisor.
 */
import type { Running } from '../process.ts';

/** A running engine and its address: `host:port`, or a URL for the Storage emulator. */
export interface Engine extends Running {
  readonly address: string;
}

export interface EngineOptions {
  readonly port: number;
  /** Folder for the data that the engine keeps over a restart. */
  readonly dataDir: string;
  readonly logFile: string;
  /** False: start an engine even when the environment names an address. */
  readonly useGiven?: boolean;
  /** What the Firestore emulator may use at most, which keeps all data in memory; by default 1 GiB. */
  readonly heap?: '1g' | '8g';
}

/** An engine that the stack did not start: it is used as it is and never stopped. */
export function given(address: string): Engine {
  const untouched = async () => undefined;
  return { address, pid: undefined, exited: new Promise(() => undefined), stop: untouched, kill: untouched };
}

const VARIABLES = {
  firestore: 'FIRESTORE_EMULATOR_HOST',
  storage: 'STORAGE_EMULATOR_HOST',
  kafka: 'KAFKA_BOOTSTRAP_SERVERS',
} as const;

export type EngineName = keyof typeof VARIABLES;

/** Whether the environment names an engine that runs already. */
export function isGivenByEnvironment(name: EngineName): boolean {
  return process.env[VARIABLES[name]] !== undefined;
}
