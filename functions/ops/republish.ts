/**
 * `ops republish`: tells a patient's state once more as `patient.updated`, for readers that have lost it. The
 * event goes through the outbox like any other, with the patient's next number.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Firestore } from '@google-cloud/firestore';
import { restate } from '../../shared/patient/change.ts';
import type { PatientId } from '../../shared/patient/schema.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { isServiceError } from '../../shared/platform/errors.ts';
import { scanPatients } from '../../shared/store/patient-scan.ts';
import { inTransaction } from '../../shared/store/firestore.ts';
import { fromSnapshot, patientDoc, updatePatientWithin } from '../../shared/store/patients.ts';
import type { Context } from './context.ts';
import { counted, type Output } from './output.ts';

/** Patients in a line of the audit trail. */
const AUDITED_AT_ONCE = 1_000;

export interface Republishing {
  /** One patient, or all. */
  readonly patient: PatientId | 'all';
  readonly dryRun: boolean;
  /** Patients a second; undefined: as fast as Firestore takes them. */
  readonly rate: number | undefined;
}

/** @throws ServiceError `patient.not_found` when the one patient does not exist */
export async function republish(
  context: Context,
  output: Output,
  { patient, dryRun, rate }: Republishing,
): Promise<void> {
  const db = await context.db();
  let count = 0;
  const ids = patient === 'all' ? allIds(context) : [patient];
  const told: PatientId[] = [];
  const audit = () => context.audit('changed', { patientIds: told.splice(0) });
  try {
    for await (const id of ids) {
      const started = Date.now();
      try {
        if (!dryRun) await restatePatient(db, id);
        if (!dryRun && told.push(id) === AUDITED_AT_ONCE) audit();
        count += 1;
      } catch (error) {
        // Erased since the page was read.
        if (patient !== 'all' || !isServiceError(error, 'patient.not_found')) throw error;
      }
      output.progress(`republished ${count}`);
      if (rate !== undefined) await sleep(Math.max(0, 1000 / rate - (Date.now() - started)));
    }
  } finally {
    audit();
  }
  output.progress('');
  output.fields({ patients: count, dry_run: dryRun });
  output.say(`${counted(count, 'patient')} ${dryRun ? 'would be ' : ''}put into the outbox.`);
}

/** No change, so no audit entry. A run whose answer was lost has raised the number: then nothing is left to do. */
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

async function* allIds(context: Context): AsyncGenerator<PatientId> {
  for await (const { id } of scanPatients(await context.db())) yield id;
}
