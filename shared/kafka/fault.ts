/** Faults of ours, or of a library: waiting does not mend them, so they are counted, raise an alert and are not repeated. */
import { ServiceError } from '../platform/errors.ts';
import { errorFields, type Log, type LogFields } from '../platform/log.ts';
import { measure } from '../platform/metrics.ts';

/** True of an outage: it passes by waiting. */
export function isTransient(error: unknown): boolean {
  return error instanceof ServiceError && error.retriable;
}

/** Logs and counts a fault; see docs/runbooks/worker-fault.md. */
export function reportFault(log: Log, message: string, fields: LogFields, error: unknown): void {
  log.error(message, { ...fields, ...errorFields(error), error_code: 'internal' });
  measure(log, 'errors', { error_code: 'internal' });
}

/**
 * Runs a step that a message can do without.
 * @returns false when it has failed by a fault, which is reported
 * @throws the failure when it is an outage
 */
export async function orReport(
  step: () => Promise<void>,
  report: (error: unknown) => void,
): Promise<boolean> {
  try {
    await step();
    return true;
  } catch (error) {
    if (isTransient(error)) throw error;
    report(error);
    return false;
  }
}
