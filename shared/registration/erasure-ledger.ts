/**
 * The ledger of erasures: one object for each erased patient below `erasures/`, with id and Berlin date and nothing else.
 * It lies outside the database, so a backup that is put back cannot forget who was erased (docs/runbooks/restore.md).
 */
import type { Bucket } from '@google-cloud/storage';
import { patientId, type PatientId } from '../patient/schema.ts';
import { berlinDateOf, type Instant } from '../platform/clock.ts';
import { listObjects, saveJson } from './bucket.ts';

const LEDGER = 'erasures/';

/** Notes an erasure; one that is noted already stays. @throws ServiceError `storage.unavailable` */
export async function enterErasure(bucket: Bucket, id: PatientId, at: Instant): Promise<void> {
  await saveJson(bucket, `${LEDGER}${id}.json`, { patient_id: id, erased_on: berlinDateOf(at) });
}

/** Every patient who was ever erased, in no order. @throws ServiceError `storage.unavailable` */
export async function* listErased(bucket: Bucket): AsyncGenerator<PatientId> {
  for await (const { name } of listObjects(bucket, LEDGER)) {
    const { data: id } = patientId.safeParse(Number(/^erasures\/(\d+)\.json$/.exec(name)?.[1]));
    if (id !== undefined) yield id;
  }
}
