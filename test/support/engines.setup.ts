/**
 * Starts the engines for a test run and stops them at its end. Tests read the addresses from the environment
 * (FIRESTORE_EMULATOR_HOST, STORAGE_EMULATOR_HOST, KAFKA_BOOTSTRAP_SERVERS) or with vitest's `inject('engines')`.
 */
import type { TestProject } from 'vitest/node';
import { startEngines, type Engines } from './engines.ts';

declare module 'vitest' {
  interface ProvidedContext {
    engines: Engines['addresses'];
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { addresses, stop } = await startEngines('test');
  project.provide('engines', addresses);
  return stop;
}
