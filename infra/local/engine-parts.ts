/**
 * The three engines as parts of the stack, and their addresses, which are known once they are started.
 */
import { join } from 'node:path';
import { isGivenByEnvironment, type Engine, type EngineOptions } from './engines/engine.ts';
import { startFirestore } from './engines/firestore.ts';
import { startKafka } from './engines/kafka.ts';
import { startStorage } from './engines/storage.ts';
import type { EngineAddresses } from './environment.ts';
import { logFileOf, type Folders } from './parts.ts';
import { ownerOf } from './ports.ts';
import type { Settings } from './settings.ts';
import type { Part } from './supervisor.ts';

export type EngineName = keyof EngineAddresses;

const ENGINES: readonly string[] = ['firestore', 'storage', 'kafka'] satisfies EngineName[];

/** @param useGiven whether to use an engine that the environment names instead of starting one */
export function enginesOf(settings: Settings, folders: Folders, useGiven: boolean) {
  const starts: Readonly<Record<EngineName, (options: EngineOptions) => Promise<Engine>>> = {
    firestore: (options) => startFirestore({ ...options, project: settings.project }),
    storage: startStorage,
    kafka: startKafka,
  };
  const addresses: Partial<Record<EngineName, string>> = {};
  const parts = (Object.keys(starts) as EngineName[]).map((name): Part => {
    const start = async () => {
      const engine = await starts[name]({
        port: settings.ports[name],
        dataDir: join(folders.data, name),
        logFile: logFileOf(folders, name),
        useGiven,
      });
      addresses[name] = engine.address;
      return engine;
    };
    return { name, start };
  });
  return {
    parts,
    /** The addresses; complete once every part has been started. */
    addresses: () => addresses as EngineAddresses,
  };
}

/** Whether the environment names a running engine, which the stack does not start. */
export function isGiven(name: EngineName, useGiven: boolean): boolean {
  return useGiven && isGivenByEnvironment(name);
}

/** @throws Error naming each busy port of the stack and its owner */
export async function requireFreePorts({ ports }: Settings, useGiven: boolean): Promise<void> {
  const given = (name: string) => ENGINES.includes(name) && isGiven(name as EngineName, useGiven);
  const owners = await Promise.all(
    Object.entries(ports)
      .filter(([name]) => !given(name))
      .map(async ([name, port]) => ({ name, port, owner: await ownerOf(port) })),
  );
  const busy = owners.filter(({ owner }) => owner !== undefined);
  if (busy.length === 0) return;
  const lines = busy.map(({ name, port, owner }) => `  ${port} (${name}) by ${owner}`);
  throw new Error(
    [
      'The stack cannot start, because these ports are in use:',
      ...lines,
      'Stop the other stack or program, or set other ports in emulator.json.',
    ].join('\n'),
  );
}
