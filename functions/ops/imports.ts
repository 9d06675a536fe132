/** `ops import`: shows waiting files and the outcome of the latest ones, and retries or deletes failed files. */
import { listIncoming, retryName } from '../../shared/registration/archive.ts';
import {
  connectBucket,
  copyVersion,
  deleteObject,
  listObjects,
  type FinalizedObject,
  type ImportBucket,
} from '../../shared/registration/bucket.ts';
import { errorDocumentPath } from '../../shared/registration/failure-mail.ts';
import { utcTimestamp } from '../../shared/platform/clock.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { eraseImportRecord } from '../../shared/store/erasures.ts';
import { readLastImports } from '../../shared/store/import-statistics.ts';
import { noteRetry, readImport, type ImportRecord, type RecordId } from '../../shared/store/imports.ts';
import type { Context } from './context.ts';
import { resumable } from './interruption.ts';
import { counted, type Output } from './output.ts';

export async function listImports(
  context: Context,
  output: Output,
  { outcome, limit }: { outcome?: ImportRecord['outcome']; limit: number },
): Promise<void> {
  const imports = await readLastImports(await context.db(), limit);
  const shown = imports.filter((record) => outcome === undefined || record.outcome === outcome);
  context.audit('answered', { patientIds: shown.flatMap(({ patient_id }) => patient_id ?? []) });
  const columns = ['record_id', 'outcome', 'reason', 'patient_id', 'received_at', 'archived_at'] as const;
  output.table(
    columns,
    shown.map((record) => columns.map((name) => record[name])),
  );
}

/** Shows what is stored about one file, without personal values. @throws UnknownFile */
export async function showImport(context: Context, output: Output, id: string): Promise<void> {
  const record = await recordOf(context, id);
  const { outcome, reason, patient_id, archive_path, received_at, archived_at, violations } = record;
  context.audit('answered', { recordId: id, patientIds: patient_id === null ? [] : [patient_id] });
  output.fields({
    record_id: id,
    outcome,
    reason,
    patient_id,
    archive_path,
    received_at,
    archived_at,
    ...Object.fromEntries(
      [...Map.groupBy(violations, ({ pointer }) => pointer)].map(([pointer, broken]) => [
        pointer === '' ? '(file)' : pointer,
        broken.map(({ detail }) => detail).join('; '),
      ]),
    ),
  });
}

/** Lists the files in `incoming/`, oldest first; without names, which may hold surnames. */
export async function listWaiting(context: Context, output: Output): Promise<void> {
  const waiting = [];
  for await (const object of listIncoming(await bucketOf(context))) waiting.push(object);
  const now = systemClock().epochMilliseconds;
  output.table(
    ['uploaded_at', 'waiting_seconds', 'bytes'],
    waiting
      .sort((a, b) => a.uploadedAt.epochMilliseconds - b.uploadedAt.epochMilliseconds)
      .map(({ uploadedAt, bytes }) => [
        utcTimestamp(uploadedAt),
        Math.round((now - uploadedAt.epochMilliseconds) / 1000),
        bytes,
      ]),
  );
  output.say(`${counted(waiting.length, 'file')} in incoming/.`);
}

/**
 * Copies failed files back to `incoming/` as new objects, which the trigger imports like any other; only the age of their
 * signatures is measured at the originals' upload. The failed files stay until their retention ends.
 * @param files record ids, or paths below `failed/`
 * @throws UnknownFile before anything is copied; EndedEarly
 */
export async function retryImports(
  context: Context,
  output: Output,
  files: readonly string[],
): Promise<void> {
  const bucket = await bucketOf(context);
  const objects = await failedObjects(bucket, files);
  const db = await context.db();
  const copied: [from: string, to: string][] = [];
  const copyAll = () =>
    output.during({ what: 'copying back', total: objects.length }, async (progress) => {
      for (const object of objects) {
        context.signal.throwIfAborted();
        const recordId = recordIdIn(object.name);
        const target = retryName(recordId);
        context.audit('changed', { recordId });
        await noteRetry(db, recordId, systemClock());
        await copyVersion(bucket, object, target);
        copied.push([object.name, target]);
        progress.to(copied.length);
      }
    });
  await resumable(copyAll, () => {
    const left = objects.slice(copied.length).map(({ name }) => recordIdIn(name));
    return `${counted(copied.length, 'file')} copied back. Continue with: ops import retry ${left.join(' ')}`;
  });
  output.table(['from', 'to'], copied);
  output.say(
    `${counted(copied.length, 'file')} back in incoming/; \`ops import list\` shows what becomes of them.`,
  );
}

async function failedObjects(bucket: ImportBucket, files: readonly string[]): Promise<FinalizedObject[]> {
  const found = new Map<string, FinalizedObject>();
  const wanted = new Map(
    files.map((file) => [file.replace(/^failed\//, '').replace(/\.json$/, ''), file] as const),
  );
  for await (const object of listObjects(bucket, 'failed/')) {
    const path = object.name.replace(/^failed\//, '').replace(/\.json$/, '');
    for (const name of [path, recordIdIn(object.name)]) if (wanted.has(name)) found.set(name, object);
  }
  for (const [name, file] of wanted) if (!found.has(name)) throw new UnknownFile(file);
  return [...new Set(found.values())];
}

/** The record id in `failed/2026/11/02/<record id>.json`. */
function recordIdIn(name: string): RecordId {
  return name.replace(/^.*\//, '').replace(/\.json$/, '') as RecordId;
}

/**
 * Removes a failed file for good: the object, the document of its violations, and its record last, so that an interrupted
 * command can be repeated.
 * @throws UnknownFile, UndeletableFile
 */
export async function deleteImport(
  context: Context,
  output: Output,
  id: string,
  apply: boolean,
): Promise<void> {
  const record = await recordOf(context, id);
  const { outcome, archive_path, archived_at, reason, received_at } = record;
  if (outcome !== 'failed' || archive_path === null)
    throw new UndeletableFile('The import of this file did not fail: erase its patient instead.');
  if (archived_at === null)
    throw new UndeletableFile('The file is still being moved to failed/: try again in a few minutes.');
  context.audit(apply ? 'changed' : 'answered', { recordId: id });
  if (apply) {
    const bucket = await bucketOf(context);
    await deleteObject(bucket, archive_path);
    await deleteObject(bucket, errorDocumentPath(archive_path));
    await eraseImportRecord(await context.db(), id as RecordId);
  }
  output.fields({ record_id: id, reason, archive_path, received_at, deleted: apply });
  output.say(apply ? 'The file and its record are gone.' : 'Nothing was deleted: `--apply` does it.');
}

/** @throws UnknownFile also for a text that cannot be a record id, such as a path */
async function recordOf(context: Context, id: string): Promise<ImportRecord> {
  const record = /^[0-9a-f]{64}$/.test(id) ? await readImport(await context.db(), id as RecordId) : undefined;
  if (record === undefined) throw new UnknownFile(id);
  return record;
}

export async function bucketOf(context: Context): Promise<ImportBucket> {
  return connectBucket(
    await context.config(['GOOGLE_CLOUD_PROJECT', 'GCS_IMPORT_BUCKET', 'STORAGE_EMULATOR_HOST']),
  );
}

export class UndeletableFile extends Error {}

export class UnknownFile extends Error {
  constructor(file: string) {
    super(`There is no file ${file}; \`ops import list\` shows the record ids.`);
  }
}
