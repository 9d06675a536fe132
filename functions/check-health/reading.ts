/** One question to a dependency: its answer, or in words why there was none. It never throws and never hangs. */
import { within } from '../../shared/platform/deadline.ts';
import { fateOf, ServiceError } from '../../shared/platform/errors.ts';
import { errorFields, type Log } from '../../shared/platform/log.ts';

export type Reading<T> = { readonly value: T } | { readonly fault: string };

/**
 * Waits at most `withinMs`; a later answer is dropped.
 * @param check names the question in the log
 */
export async function ask<T>(
  question: () => Promise<T>,
  { check, withinMs, log }: { check: string; withinMs: number; log: Log },
): Promise<Reading<T>> {
  const answer = question().then(
    (value): Reading<T> => ({ value }),
    (error: unknown): Reading<T> => {
      log.warn('a check could not be answered', { check, ...errorFields(error) });
      return { fault: error instanceof ServiceError ? fateOf(error.code).title : 'the question failed' };
    },
  );
  return within(withinMs, answer, () => {
    log.warn('a check was not answered in time', { check, duration_ms: withinMs });
    return { fault: `not answered within ${withinMs / 1000} s` };
  });
}

/** The answer, or undefined when there was none. */
export function valueOf<T>(reading: Reading<T> | undefined): T | undefined {
  return reading !== undefined && 'value' in reading ? reading.value : undefined;
}

/** Why there was no answer. */
export function faultOf(reading: Reading<unknown> | undefined): string | undefined {
  return reading !== undefined && 'fault' in reading ? reading.fault : undefined;
}
