/** How the imports went, counted and listed from the import records. */
import type { Firestore, Query } from '@google-cloud/firestore';
import { utcTimestamp, type Instant, type UtcTimestamp } from '../platform/clock.ts';
import { translated } from './firestore.ts';
import { importDocs, type ImportRecord, type RecordId } from './imports.ts';

/** All outcomes that a record can have. */
export const IMPORT_OUTCOMES = [
  'imported',
  'duplicate',
  'failed',
  'erased',
] as const satisfies readonly ImportRecord['outcome'][];

/** Number of records by outcome. */
export type ImportCounts = Readonly<Record<ImportRecord['outcome'], number>>;

/** An import as lists show it: without personal data. */
export type ListedImport = Pick<
  ImportRecord,
  'outcome' | 'patient_id' | 'reason' | 'received_at' | 'archived_at'
> & { readonly record_id: RecordId };

/** Records of one outcome, newest first; those received since an instant, or all. */
export function importsQuery(db: Firestore, outcome: ImportRecord['outcome'], since?: Instant): Query {
  const all = importDocs(db).where('outcome', '==', outcome);
  const recent = since === undefined ? all : all.where('received_at', '>=', utcTimestamp(since));
  return recent.orderBy('received_at', 'desc');
}

/** @throws ServiceError `store.unavailable` */
export async function countImports(db: Firestore, since?: Instant): Promise<ImportCounts> {
  const counts = await translated(() =>
    Promise.all(
      IMPORT_OUTCOMES.map(async (outcome) => {
        const counted = await importsQuery(db, outcome, since).count().get();
        return [outcome, counted.data().count] as const;
      }),
    ),
  );
  return Object.fromEntries(counts) as Record<ImportRecord['outcome'], number>;
}

/** When a file last had this outcome; null if none is recorded. @throws ServiceError `store.unavailable` */
export async function lastImportAt(
  db: Firestore,
  outcome: ImportRecord['outcome'],
): Promise<UtcTimestamp | null> {
  const page = await translated(() => importsQuery(db, outcome).limit(1).get());
  return (page.docs[0]?.get('received_at') as UtcTimestamp | undefined) ?? null;
}

/** Records of any outcome, newest first. */
export function lastImportsQuery(db: Firestore, limit: number): Query {
  return importDocs(db).orderBy('received_at', 'desc').limit(limit);
}

/** The last imports, newest first. @throws ServiceError `store.unavailable` */
export async function readLastImports(db: Firestore, limit: number): Promise<ListedImport[]> {
  const page = await translated(() => lastImportsQuery(db, limit).get());
  return page.docs.map((doc) => {
    const { outcome, patient_id, reason, received_at, archived_at } = doc.data() as ImportRecord;
    return { record_id: doc.id as RecordId, outcome, patient_id, reason, received_at, archived_at };
  });
}
