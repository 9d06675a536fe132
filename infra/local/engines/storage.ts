/**
 * The Storage emulator that STORAGE_EMULATOR_HOST names, or that of firebase-tools in its own process. It starts without
 * the command line of firebase-tools, which would download a rules engine that this service does not use.
 */
import { join } from 'node:path';
import { HOST } from '../ports.ts';
import { launch } from '../process.ts';
import { untilReady } from '../ready.ts';
import { type Engine, type EngineOptions, given } from './engine.ts';

/**
 * Starts the emulator, with the objects that `dataDir` holds. Every finalized object is a line in
 * {@link finalizedJournal} before its upload is answered.
 */
export async function startStorage({
  port,
  dataDir,
  logFile,
  useGiven = true,
}: EngineOptions): Promise<Engine> {
  const address = process.env['STORAGE_EMULATOR_HOST'];
  if (address !== undefined && useGiven) return given(address);
  const running = launch({
    command: process.execPath,
    args: [join(import.meta.dirname, 'storage-process.ts'), String(port), dataDir],
    logFile,
  });
  const url = `http://${HOST}:${port}`;
  await untilReady(running, 'The Storage emulator', async () => (await fetch(`${url}/b`)).ok);
  return { ...running, address: url };
}

/** Where the emulator notes finalized objects: one `{id, object}` a line, the object in the JSON API's form. */
export function finalizedJournal(dataDir: string): string {
  return join(dataDir, 'finalized.jsonl');
}
