/** `ops retention preview`: the patients whom the scheduled run would erase, by id, rule and day. */
import { retentionDue, type RetentionDays } from '../../shared/patient/retention.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { lapsedPatients } from '../../shared/store/retention.ts';
import type { Context } from './context.ts';
import { counted, type Output } from './output.ts';

/** @param tried days to use instead of the configured ones */
export async function previewRetention(
  context: Context,
  output: Output,
  tried: Partial<RetentionDays>,
): Promise<void> {
  const config = await context.config(['RETENTION_UNPAID_DAYS', 'RETENTION_CLOSED_DAYS']);
  const days: RetentionDays = {
    unpaid: tried.unpaid ?? config.RETENTION_UNPAID_DAYS,
    closed: tried.closed ?? config.RETENTION_CLOSED_DAYS,
  };
  const now = systemClock();
  const rows: [number, string, string][] = [];
  const db = await context.db();
  await output.during({ what: 'looking for patients who are due' }, async (progress) => {
    let looked = 0;
    for await (const patient of lapsedPatients(db, days, now)) {
      context.signal.throwIfAborted();
      const due = retentionDue(patient, days, now);
      if (due !== undefined) rows.push([patient.id, due.rule, due.due_on]);
      progress.to((looked += 1));
    }
  });
  context.audit('answered', { patientIds: rows.map(([id]) => id) });
  output.table(['patient_id', 'rule', 'due_on'], rows);
  if (days.unpaid === undefined && days.closed === undefined) {
    output.say('Retention is off: neither RETENTION_UNPAID_DAYS nor RETENTION_CLOSED_DAYS is set.');
  } else {
    output.say(
      `${counted(rows.length, 'patient')} would be erased, at most 100 in a run. Nothing was changed.`,
    );
  }
}
