/** Every patient by id and last event number, page by page: for operators, not for requests. */
import { FieldPath, type Firestore } from '@google-cloud/firestore';
import { patientId, type PatientId } from '../patient/schema.ts';
import { translated } from './firestore.ts';
import { patientDocs } from './patients.ts';

export interface ScannedPatient {
  readonly id: PatientId;
  /** Number of the patient's last event. */
  readonly sequence: number;
}

/** @throws ServiceError `store.unavailable` */
export async function* scanPatients(db: Firestore, pageSize = 1_000): AsyncGenerator<ScannedPatient> {
  const first = patientDocs(db).select('_meta.sequence').orderBy(FieldPath.documentId()).limit(pageSize);
  for (let page = first; ;) {
    const { docs } = await translated(() => page.get());
    for (const doc of docs) {
      yield { id: patientId.parse(Number(doc.id)), sequence: doc.get('_meta.sequence') as number };
    }
    const last = docs.at(-1);
    if (last === undefined) return;
    page = first.startAfter(last);
  }
}
