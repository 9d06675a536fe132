/**
 * `ops republish`: publishes a patient's state again as `patient.updated`, for readers that have lost it. The event
 * goes through the outbox like any other, with the patient's next number.
 */
import type { Firestore } from '@google-cloud/firestore';
import { restate } from '../../shared/patient/change.ts';
import type { PatientId } from '../../shared/patient/schema.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { isServiceError } from '../../shared/platform/errors.ts';
import { countPatients, scanPatientPages } from '../../shared/store/patient-scan.ts';
import { inTransaction } from '../../shared/store/firestore.ts';
import { fromSnapshot, patientDoc, updatePatientWithin } from '../../shared/store/patients.ts';
import type { Context } from './context.ts';
import { continueWith, doneUpTo, keepRate, resumable } from './interruption.ts';
import { counted, type Output } from './output.ts';

/** Patients that are put into the outbox concurrently, unless a rate is set. */
const AT_ONCE = 16;

export interface Republishing {
  /** One patient, or all. */
  readonly patient: PatientId | 'all';
  /** Continues a run over all patients that ended after this one. */
  readonly after: PatientId | undefined;
  readonly dryRun: boolean;
  /** Patients a second; undefined: as fast as Firestore takes them. */
  readonly rate: number | undefined;
}

/** @throws ServiceError `patient.not_found` when the one patient does not exist; EndedEarly */
export async function republish(
  context: Context,
  output: Output,
  { patient, after, dryRun, rate }: Republishing,
): Promise<void> {
  const db = await context.db();
  const count = patient === 'all' ? await republishAll(context, output, { after, dryRun, rate }) : 1;
  if (patient !== 'all' && !dryRun) {
    await restatePatient(db, patient);
    context.audit('changed', { patientIds: [patient] });
  }
  output.fields({ patients: count, dry_run: dryRun });
  output.say(`${counted(count, 'patient')} ${dryRun ? 'would be ' : ''}put into the outbox.`);
}

/** @returns how many patients were put into the outbox */
async function republishAll(
  context: Context,
  output: Output,
  { after, dryRun, rate }: Omit<Republishing, 'patient'>,
): Promise<number> {
  const db = await context.db();
  const total = await countPatients(db, after);
  let count = 0;
  let last = after;
  const work = () =>
    output.during({ what: 'republishing', total }, async (progress) => {
      for await (const page of scanPatientPages(db, after)) {
        const ids = page.map(({ id }) => id);
        if (!dryRun) context.audit('changed', { patientIds: ids });
        while (ids.length > 0) {
          context.signal.throwIfAborted();
          const started = performance.now();
          const group = ids.splice(0, rate === undefined ? AT_ONCE : 1);
          // All of them end before the command does, also when one fails.
          const ends = await Promise.allSettled(group.map(async (id) => dryRun || restateIfThere(db, id)));
          count += ends.filter((end) => end.status === 'fulfilled' && end.value).length;
          const failed = ends.find((end) => end.status === 'rejected');
          if (failed !== undefined) throw failed.reason;
          last = group.at(-1);
          progress.to(count, dryRun ? undefined : doneUpTo('patient', last));
          await keepRate(rate, started, context.signal);
        }
      }
      return count;
    });
  return resumable(work, () => {
    if (dryRun) return undefined;
    return `${counted(count, 'patient')} put into the outbox. ${continueWith('republish --all', { after: last, rate })}`;
  });
}

/** @returns false when the patient was erased in the meantime */
async function restateIfThere(db: Firestore, id: PatientId): Promise<boolean> {
  try {
    await restatePatient(db, id);
    return true;
  } catch (error) {
    if (isServiceError(error, 'patient.not_found')) return false;
    throw error;
  }
}

/** Nothing changes, so there is no audit entry. If the number has risen, an earlier attempt committed and this one ends. */
async function restatePatient(db: Firestore, id: PatientId): Promise<void> {
  await inTransaction<number>(db, async (transaction, earlier) => {
    if (earlier.length > 0) {
      const { sequence } = fromSnapshot(await transaction.get(patientDoc(db, id)));
      const made = earlier.find((number) => number <= sequence);
      if (made !== undefined) return made;
    }
    const { after } = await updatePatientWithin(db, transaction, id, systemClock(), (stored) =>
      restate(stored.patient),
    );
    return after.sequence;
  });
}
