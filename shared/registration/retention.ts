/** Erases patients whose retention has ended (docs/operations.md#retention), at most 100 per run. */
import pLimit from 'p-limit';
import { retentionDue, type RetentionDays, type RetentionRule } from '../patient/retention.ts';
import type { Patient } from '../patient/schema.ts';
import { parseTimestamp, type Instant } from '../platform/clock.ts';
import { isServiceError } from '../platform/errors.ts';
import { errorFields } from '../platform/log.ts';
import type { InsideMark } from '../store/fence.ts';
import { countLapsed, lapsedPatients } from '../store/retention.ts';
import { erasePatient, type ErasureDependencies } from './erase-patient.ts';
import { readFence } from './restore-fence.ts';

/** Erasures per run, so that a mistake in the configuration is noticed before it erases many patients. */
const AT_MOST = 100;
const AT_ONCE = 4;
/** A restored database lacks recent payments. Staff have this many days to enter them again. */
const AFTER_RESTORE_DAYS = 30;

/** The result of one run. */
export interface RetentionReport {
  readonly erased: number;
  /** Patients left for the next runs. */
  readonly due: number;
  /** Why the run erased nobody; null when it was not paused. */
  readonly paused: 'fenced' | 'restored' | null;
}

/**
 * Erases the patients who are due. Logs a patient who cannot be erased now and continues with the others.
 * @param options.signal once aborted, no further erasure starts
 * @throws ServiceError `store.*`, `storage.unavailable` when the patients who are due cannot be determined
 */
export async function eraseLapsed(
  deps: ErasureDependencies,
  days: RetentionDays,
  { signal, atMost = AT_MOST }: { readonly signal?: AbortSignal; readonly atMost?: number } = {},
): Promise<RetentionReport> {
  const now = deps.clock();
  const { fault, inside } = await readFence(deps);
  const paused = fault !== undefined ? 'fenced' : isJustRestored(inside, now) ? 'restored' : null;
  let erased = 0;
  if (paused === null) {
    const chosen: { readonly patient: Patient; readonly rule: RetentionRule }[] = [];
    for await (const patient of lapsedPatients(deps.db, days, now)) {
      const due = retentionDue(patient, days, now);
      if (due !== undefined) chosen.push({ patient, rule: due.rule });
      if (chosen.length >= atMost) break;
    }
    const limit = pLimit(AT_ONCE);
    const done = await limit.map(
      chosen,
      async ({ patient, rule }) => signal?.aborted !== true && eraseOne(deps, patient, rule, days, now),
    );
    erased = done.filter(Boolean).length;
  }
  return { erased, due: await countLapsed(deps.db, days, now), paused };
}

/** @returns false when the patient was not erased: they paid, called or were erased meanwhile, or the erasure failed */
async function eraseOne(
  deps: ErasureDependencies,
  { id }: Patient,
  rule: RetentionRule,
  days: RetentionDays,
  now: Instant,
): Promise<boolean> {
  try {
    const onlyIf = (stored: Patient) => retentionDue(stored, days, now)?.rule === rule;
    const by = { actor: 'retention', role: 'service', method: 'run', route: `retention ${rule}` };
    return await erasePatient(deps, id, { by, onlyIf });
  } catch (error) {
    if (!isServiceError(error, 'patient.not_found')) {
      deps.log.error('Patient whose retention has ended could not be erased', {
        patient_id: id,
        ...errorFields(error),
      });
    }
    return false;
  }
}

function isJustRestored(inside: InsideMark | undefined, now: Instant): boolean {
  const restored = parseTimestamp(inside?.lost.at(-1)?.until ?? '');
  if (restored === undefined) return false;
  const days = (now.epochMilliseconds - restored.epochMilliseconds) / (24 * 3600 * 1000);
  return days < AFTER_RESTORE_DAYS;
}
