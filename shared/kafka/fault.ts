/** Faults in this service or a library. Retries do not help, so they are counted and raise an alert instead. */
import { ServiceError } from '../platform/errors.ts';
import { errorFields, type Log, type LogFields } from '../platform/log.ts';
import { measure } from '../platform/metrics.ts';

/** True for an outage, after which a retry can succeed. */
export function isTransient(error: unknown): boolean {
  return error instanceof ServiceError && error.retriable;
}

/** Logs and counts a fault; see docs/runbooks/worker-fault.md. */
export function reportFault(log: Log, message: string, fields: LogFields, error: unknown): void {
  log.error(message, { ...fields, ...errorFields(error), error_code: 'internal' });
  measure(log, 'errors', { error_code: 'internal' });
}

/**
 * Runs a step without which the message can still be processed.
 * @returns false when the step failed with a fault, which is reported
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
