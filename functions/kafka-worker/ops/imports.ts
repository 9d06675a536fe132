/** `ops import`: what became of the last files, and a failed one sent through the import once more. */
import { randomUUID } from 'node:crypto';
import { connectBucket, copyVersion, listObjects } from '../../../shared/registration/bucket.ts';
import { readLastImports } from '../../../shared/store/import-statistics.ts';
import type { ImportRecord } from '../../../shared/store/imports.ts';
import type { Context } from './context.ts';
import type { Output } from './output.ts';

export async function listImports(
  context: Context,
  output: Output,
  { outcome, limit }: { outcome?: ImportRecord['outcome']; limit: number },
): Promise<void> {
  const imports = await readLastImports(await context.db(), limit);
  const columns = ['record_id', 'outcome', 'reason', 'patient_id', 'received_at', 'archived_at'] as const;
  output.table(
    columns,
    imports
      .filter((record) => outcome === undefined || record.outcome === outcome)
      .map((record) => columns.map((name) => record[name])),
  );
}

/**
 * Copies a failed file back to `incoming/`, under a name of its own: a new object, which the trigger imports like
 * any other. The failed one stays until its retention ends.
 * @param file the record id, or the path below `failed/`
 * @throws UnknownFile
 */
export async function retryImport(context: Context, output: Output, file: string): Promise<void> {
  const bucket = connectBucket(
    await context.config(['GOOGLE_CLOUD_PROJECT', 'GCS_IMPORT_BUCKET', 'STORAGE_EMULATOR_HOST']),
  );
  const wanted = file.replace(/^failed\//, '').replace(/\.json$/, '');
  for await (const object of listObjects(bucket, 'failed/')) {
    const isIt = object.name === `failed/${wanted}.json` || object.name.endsWith(`/${wanted}.json`);
    if (!isIt) continue;
    const target = `incoming/retry-${randomUUID()}.json`;
    await copyVersion(bucket, object, target);
    output.fields({ from: object.name, to: target });
    output.say('The file is back in incoming/; `ops import list` shows what becomes of it.');
    return;
  }
  throw new UnknownFile(file);
}

export class UnknownFile extends Error {
  constructor(file: string) {
    super(`There is no failed file ${file}; \`ops import list --outcome failed\` shows the record ids.`);
  }
}
