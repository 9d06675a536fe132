/**
 * What the three engines of the local stack have in common, so that tests and supervisor treat them alike.
 */
import type { Running } from '../process.ts';

/** A running engine and where it answers: `host:port`, or a URL for the Storage emulator. */
export interface Engine extends Running {
  readonly address: string;
}

export interface EngineOptions {
  readonly port: number;
  /** What the engine keeps over a restart stands below this folder. */
  readonly dataDir: string;
  readonly logFile: string;
  /** False: start one of our own even where the environment names an address. */
  readonly useGiven?: boolean;
}

/** An engine that somebody else runs: used as it is, never stopped. */
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

/** Whether the environment names an engine that somebody else runs. */
export function isGivenByEnvironment(name: EngineName): boolean {
  return process.env[VARIABLES[name]] !== undefined;
}
