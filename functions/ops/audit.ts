/** Who looked, and whose data: the lines that a command leaves in the audit trail before it shows or changes anything. */
import type { Log } from '../../shared/platform/log.ts';

/** Whom a command concerns, by ids alone. */
export interface Subjects {
  readonly patientIds?: Iterable<number>;
  /** A registration file. */
  readonly recordId?: string;
}

/** Notes that the command shows (`answered`) or changes data of these persons; nobody: nothing is noted. */
export type Audit = (outcome: 'answered' | 'changed', subjects: Subjects) => void;

/** Cloud Logging takes 256 KiB a line. */
const IDS_IN_A_LINE = 1_000;

/** @param route asked when a line is written: the command's name, such as `dlq show` */
export function createAudit(log: Log, operator: string, route: () => string): Audit {
  return (outcome, { patientIds = [], recordId }) => {
    const ids = [...new Set(patientIds)];
    if (ids.length === 0 && recordId === undefined) return;
    for (let from = 0; from === 0 || from < ids.length; from += IDS_IN_A_LINE) {
      log.record('audit', {
        actor: operator,
        role: 'operator',
        method: 'ops',
        route: route(),
        outcome,
        ...(recordId === undefined ? {} : { record_id: recordId }),
        patient_ids: ids.slice(from, from + IDS_IN_A_LINE),
      });
    }
  };
}
