/** Finds the patients whom retention may concern; shared/patient/retention.ts decides who is due. */
import type { Firestore, Query } from '@google-cloud/firestore';
import {
  CLOSED_STATUSES,
  keptSince,
  RETENTION_RULES,
  type RetentionDays,
  type RetentionRule,
} from '../patient/retention.ts';
import type { Patient } from '../patient/schema.ts';
import type { BerlinDate, Instant, UtcTimestamp } from '../platform/clock.ts';
import { translated } from './firestore.ts';
import { fromSnapshot, patientDocs } from './patients.ts';

const PAGE = 100;

/** Patients of a rule with the last contact before a day, and the registration or last change before that day began. */
export function lapsedQuery(
  db: Firestore,
  rule: RetentionRule,
  before: { readonly day: BerlinDate; readonly at: UtcTimestamp },
  hadContact: boolean,
): Query {
  const patients = patientDocs(db);
  const ofRule =
    rule === 'unpaid'
      ? patients
          .where('status', '==', 'offen')
          .where('zahlung_eingegangen', '==', false)
          .where('startdatum', '==', null)
      : patients.where('status', 'in', CLOSED_STATUSES);
  const since = rule === 'unpaid' ? 'created_at' : 'updated_at';
  return hadContact
    ? ofRule
        .where('letzter_kontakt', '<', before.day)
        .where(since, '<', before.at)
        .orderBy('letzter_kontakt')
        .orderBy(since)
    : ofRule.where('letzter_kontakt', '==', null).where(since, '<', before.at).orderBy(since);
}

function lapsedQueries(db: Firestore, days: RetentionDays, now: Instant): Query[] {
  return RETENTION_RULES.flatMap((rule) => {
    const kept = days[rule];
    if (kept === undefined) return [];
    const before = keptSince(kept, now);
    return [false, true].map((hadContact) => lapsedQuery(db, rule, before, hadContact));
  });
}

/** The patients of the enabled rules, page by page. @throws ServiceError `store.unavailable` */
export async function* lapsedPatients(
  db: Firestore,
  days: RetentionDays,
  now: Instant,
): AsyncGenerator<Patient> {
  for (const query of lapsedQueries(db, days, now)) {
    for (let page = query.limit(PAGE); ;) {
      const { docs } = await translated(() => page.get());
      for (const doc of docs) yield fromSnapshot(doc).patient;
      const last = docs.at(-1);
      if (last === undefined || docs.length < PAGE) break;
      page = query.startAfter(last).limit(PAGE);
    }
  }
}

/** @throws ServiceError `store.unavailable` */
export async function countLapsed(db: Firestore, days: RetentionDays, now: Instant): Promise<number> {
  const counts = await Promise.all(
    lapsedQueries(db, days, now).map((query) => translated(() => query.count().get())),
  );
  return counts.reduce((sum, count) => sum + count.data().count, 0);
}
