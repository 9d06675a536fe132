/**
 * The ledger of erasures: one object below `erasures/` for each erased patient, with the id and the Berlin date only. It
 * is outside the database, so a restored backup does not bring erased patients back (docs/runbooks/restore.md).
 */
import { patientId, type PatientId } from '../patient/schema.ts';
import { berlinDateOf, type Instant } from '../platform/clock.ts';
import { listObjects, saveJson, type ImportBucket } from './bucket.ts';

/** Prefix of its objects. */
export const LEDGER = 'erasures/';

/** Enters an erasure unless it is entered already. @throws ServiceError `storage.unavailable` */
export async function enterErasure(bucket: ImportBucket, id: PatientId, at: Instant): Promise<void> {
  await saveJson(bucket, `${LEDGER}${id}.json`, { patient_id: id, erased_on: berlinDateOf(at) });
}

/** All patients who were ever erased, in no particular order. @throws ServiceError `storage.unavailable` */
export async function* listErased(bucket: ImportBucket): AsyncGenerator<PatientId> {
  for await (const { name } of listObjects(bucket, LEDGER)) {
    const { data: id } = patientId.safeParse(Number(/^erasures\/(\d+)\.json$/.exec(name)?.[1]));
    if (id !== undefined) yield id;
  }
}
