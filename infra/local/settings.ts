/**
 * Ports, project and bucket of the local stack, from emulator.json. firebase-tools reads that file too; settings that
 * firebase does not know are in `emulators.extensions`, the one block that its schema leaves open.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { freePort } from './ports.ts';

const port = z.number().int().min(1).max(65_535);

const schema = z.object({
  emulators: z.object({
    firestore: z.object({ port }),
    storage: z.object({ port }),
    extensions: z.object({
      'patient-service': z.object({
        project: z.string(),
        bucket: z.string(),
        ports: z.object({
          kafka: port,
          api: port,
          health: port,
          import: port,
          worker: port,
          communication: port,
          issuer: port,
          page: port,
        }),
      }),
    }),
  }),
});

/** Who listens where. */
export type Ports = z.output<typeof schema>['emulators']['extensions']['patient-service']['ports'] & {
  readonly firestore: number;
  readonly storage: number;
};

export interface Settings {
  readonly project: string;
  readonly bucket: string;
  readonly ports: Ports;
}

export async function readSettings(): Promise<Settings> {
  const { emulators } = schema.parse(
    JSON.parse(await readFile(new URL('../../emulator.json', import.meta.url), 'utf8')),
  );
  const { project, bucket, ports } = emulators.extensions['patient-service'];
  return {
    project,
    bucket,
    ports: { firestore: emulators.firestore.port, storage: emulators.storage.port, ...ports },
  };
}

/** The same stack on ports that are free now, for a test that runs beside a started one. */
export async function onFreePorts(settings: Settings): Promise<Settings> {
  const entries = await Promise.all(
    Object.keys(settings.ports).map(async (name) => [name, await freePort()]),
  );
  return { ...settings, ports: Object.fromEntries(entries) as Ports };
}
