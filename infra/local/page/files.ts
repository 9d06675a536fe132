/** The files below `incoming/`, from the Storage emulator's journal, with their outcome from the import records. */
import type { Firestore } from '@google-cloud/firestore';
import { fateOf } from '../../../shared/platform/errors.ts';
import { readImport, recordIdOf, type RecordId } from '../../../shared/store/imports.ts';
import { followLines, parseLine } from '../lines.ts';
import type { Finalized } from '../eventarc.ts';
import { ruleOf } from './fields.ts';
import type { FileRow } from './messages.ts';

/** An entry of the journal, with the fields that only the emulator's own objects have. */
export interface Upload {
  readonly event: Finalized & { readonly object: { readonly generation: string } };
  readonly row: FileRow;
}

export interface Files {
  /** Newest first. */
  latest(): FileRow[];
  uploadOf(recordId: string): Upload | undefined;
  /** Reads the waiting files again: the sweep may have imported one, and a log line may have been missed. */
  lookAgain(): Promise<void>;
  /** The import was notified of the file and logged its outcome. */
  noteImport(recordId: string): void;
}

const KEPT = 200;
const SHOWN = 60;

export function followFiles(
  { journal, bucket, db, signal }: { journal: string; bucket: string; db: Firestore; signal: AbortSignal },
  onUpload: (row: FileRow) => void,
  onChange: () => void,
): Files {
  const uploads = new Map<string, Upload>();
  /** Log lines about files whose upload has not been read from the journal yet. */
  const early = new Map<string, number>();

  const update = (recordId: string, change: Partial<FileRow>): void => {
    const upload = uploads.get(recordId);
    if (upload === undefined) return;
    uploads.set(recordId, { ...upload, row: { ...upload.row, ...change } });
    onChange();
  };
  const refresh = async (recordId: string): Promise<void> => {
    const record = await readImport(db, recordId as RecordId).catch(() => undefined);
    if (record === undefined) return;
    const { outcome, reason, violations, patient_id, archive_path } = record;
    update(recordId, {
      outcome,
      reason,
      sentence: reason === null ? null : fateOf(reason).title,
      broken: violations.map(({ pointer, detail }) => ({ pointer, detail, rule: ruleOf(pointer) })),
      patientId: patient_id,
      archivePath: archive_path,
    });
  };
  const add = (event: Upload['event']): void => {
    const { name, generation, timeCreated } = event.object;
    const recordId = recordIdOf(bucket, name, generation);
    const row: FileRow = {
      recordId,
      name: name.slice('incoming/'.length),
      at: Date.parse(timeCreated),
      outcome: null,
      reason: null,
      sentence: null,
      broken: [],
      patientId: null,
      archivePath: null,
      deliveries: early.get(recordId) ?? 0,
    };
    early.delete(recordId);
    uploads.set(recordId, { event, row });
    for (const [id] of uploads) {
      if (uploads.size <= KEPT) break;
      uploads.delete(id);
    }
    onUpload(row);
    void refresh(recordId);
  };
  void (async () => {
    for await (const line of followLines(journal, { signal, last: 1 << 20 })) {
      const event = parseLine(line) as Upload['event'] | undefined;
      const name = event?.object.name ?? '';
      if (event === undefined || event.object.bucket !== bucket) continue;
      if (name.startsWith('incoming/') && !name.endsWith('/')) add(event);
    }
  })();
  return {
    latest: () =>
      [...uploads.values()]
        .slice(-SHOWN)
        .reverse()
        .map(({ row }) => row),
    async lookAgain() {
      const open = [...uploads.values()].filter(({ row }) => row.outcome === null);
      await Promise.all(open.map(({ row }) => refresh(row.recordId)));
    },
    uploadOf: (recordId) => uploads.get(recordId),
    noteImport(recordId) {
      const known = uploads.get(recordId);
      if (known === undefined) early.set(recordId, (early.get(recordId) ?? 0) + 1);
      else update(recordId, { deliveries: known.row.deliveries + 1 });
      void refresh(recordId);
    },
  };
}
