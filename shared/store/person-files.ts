/** Finds the records of all files that a person ever sent, for an erasure and for an export. */
import type { Firestore, Query, Timestamp } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import type { Erasure } from './erasures.ts';
import { translated } from './firestore.ts';
import { importDocs, type ImportRecord, type RecordId } from './imports.ts';
import type { PersonKey } from './person-keys.ts';
import type { TokenHash } from './registration-tokens.ts';

/** A record of a file that the person sent. */
export type PersonFile = ImportRecord & {
  readonly recordId: RecordId;
  /** When the record was last changed. */
  readonly updateTime: Timestamp;
};

/** The ids and keys by which the files of a person are found. */
export type PersonTraces = Pick<Erasure, 'patient_id' | 'token_hashes' | 'person_keys'>;

/** Records of files that belong to the patient. */
export function importsOfPatientQuery(db: Firestore, id: PatientId): Query {
  return importDocs(db).where('patient_id', '==', id);
}

/** Records of files with the token. */
export function importsOfTokenQuery(db: Firestore, hash: TokenHash): Query {
  return importDocs(db).where('token_sha256', '==', hash);
}

/** Records of files with one of the person's keys. */
export function importsOfPersonQuery(db: Firestore, keys: readonly PersonKey[]): Query {
  return importDocs(db).where('person_keys', 'array-contains-any', keys);
}

/** Every file that the person ever sent: those that became the patient, duplicates, failed attempts. */
export async function filesOf(
  db: Firestore,
  { patient_id, token_hashes, person_keys: keys = [] }: PersonTraces,
): Promise<PersonFile[]> {
  const queries = [
    importsOfPatientQuery(db, patient_id),
    ...token_hashes.map((hash) => importsOfTokenQuery(db, hash)),
    ...(keys.length === 0 ? [] : [importsOfPersonQuery(db, keys)]),
  ];
  const found = await translated(() => Promise.all(queries.map((query) => query.get())));
  const files = found
    .flatMap((page) => page.docs)
    .map((doc) => ({
      ...(doc.data() as ImportRecord),
      recordId: doc.id as RecordId,
      updateTime: doc.updateTime,
    }));
  return [...new Map(files.map((file) => [file.recordId, file])).values()];
}
