/** Memory of the export of a long history, in its own process, compared with a short one. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { patientId } from '../../shared/patient/schema.ts';
import { addHistory } from '../support/long-history.ts';
import { patientsWorld } from '../support/patients-world.ts';
import type { Bench } from './rows.ts';

const SHORT = 1_000;
/** The emulator sorts the whole history for each page: 100,000 entries take it more than ten minutes. */
const LONG = 20_000;
const CHILD = join(import.meta.dirname, 'functions/export.ts');

export const bench: Bench = async (progress) => {
  const world = patientsWorld();
  const { db, project } = world;
  const exported: { bytes: number; heldMiB: number; seconds: number }[] = [];
  for (const [id, entries] of [SHORT, LONG].entries()) {
    await world.register(id + 1);
    progress(`writing ${entries} entries`);
    await addHistory(db, patientId.parse(id + 1), entries);
    progress(`exporting ${entries} entries`);
    const begun = performance.now();
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--expose-gc',
      CHILD,
      project,
      String(id + 1),
    ]);
    exported.push({ ...JSON.parse(stdout), seconds: (performance.now() - begun) / 1000 });
  }
  await db.terminate();
  const [short, long] = exported;
  return [
    {
      name: `held in memory: ${LONG} entries against ${SHORT}`,
      value: long!.heldMiB,
      unit: 'MiB',
      bare: short!.heldMiB,
      goal: 'flat',
    },
    { name: `document of ${LONG} entries`, value: long!.bytes / 1024 ** 2, unit: 'MiB' },
    { name: `export of ${LONG} entries, process start included`, value: long!.seconds, unit: 's' },
  ];
};
