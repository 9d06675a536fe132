/**
 * Scans all patients by id and last event number, page by page: for operators, not for requests. Ids are ordered as
 * text, so 10 comes before 9.
 */
import { FieldPath, type Firestore, type Query } from '@google-cloud/firestore';
import { patientId, type PatientId } from '../patient/schema.ts';
import { translated } from './firestore.ts';
import { patientDocs } from './patients.ts';

/** What a scan of all patients reads of each one. */
export interface ScannedPatient {
  readonly id: PatientId;
  /** Number of the patient's last event. */
  readonly sequence: number;
}

/**
 * @param after begins after this patient
 * @throws ServiceError `store.unavailable`
 */
export async function* scanPatients(db: Firestore, after?: PatientId): AsyncGenerator<ScannedPatient> {
  for await (const page of scanPatientPages(db, after)) yield* page;
}

const PAGE = 5_000;

/** As {@link scanPatients}, in groups of at most 5,000. @throws ServiceError `store.unavailable` */
export async function* scanPatientPages(
  db: Firestore,
  after?: PatientId,
): AsyncGenerator<readonly ScannedPatient[]> {
  const pageBehind = (query: Query) => query.select('_meta.sequence').limit(PAGE);
  for (let page = pageBehind(behind(db, after)); ;) {
    const { docs } = await translated(() => page.get());
    const last = docs.at(-1);
    if (last === undefined) return;
    yield docs.map((doc) => ({
      id: patientId.parse(Number(doc.id)),
      sequence: doc.get('_meta.sequence') as number,
    }));
    page = pageBehind(behind(db)).startAfter(last);
  }
}

/** The number of patients, or of those after `after`. @throws ServiceError `store.unavailable` */
export async function countPatients(db: Firestore, after?: PatientId): Promise<number> {
  return (await translated(() => behind(db, after).count().get())).data().count;
}

function behind(db: Firestore, after?: PatientId): Query {
  const everyone = patientDocs(db).orderBy(FieldPath.documentId());
  return after === undefined ? everyone : everyone.startAfter(String(after));
}
