/** The audit trail: before a command shows or changes data, it logs the operator and the patients concerned. */
import type { Log } from '../../shared/platform/log.ts';

/** The patients or the file that a command concerns, by ids only. */
export interface Subjects {
  readonly patientIds?: Iterable<number>;
  /** A registration file. */
  readonly recordId?: string;
}

/** Logs that the command shows (`answered`) or changes data of these persons. Without persons it logs nothing. */
export type Audit = (outcome: 'answered' | 'changed', subjects: Subjects) => void;

/** Cloud Logging accepts at most 256 KiB a line. */
const IDS_IN_A_LINE = 1_000;

/** @param route returns the command's name, such as `dlq show`; called when a line is written */
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
