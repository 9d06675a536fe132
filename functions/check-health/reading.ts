/** Queries one dependency: returns the value, or a sentence that says why there is none. Never throws and never hangs. */
import { within } from '../../shared/platform/deadline.ts';
import { fateOf, ServiceError } from '../../shared/platform/errors.ts';
import { errorFields, type Log } from '../../shared/platform/log.ts';

export type Reply<T> = { readonly value: T } | { readonly fault: string };

/**
 * Queries a dependency and waits at most `withinMs` milliseconds. A later result is ignored.
 * @param check names the query in the log
 */
export async function ask<T>(
  question: () => Promise<T>,
  { check, withinMs, log }: { check: string; withinMs: number; log: Log },
): Promise<Reply<T>> {
  const answer = question().then(
    (value): Reply<T> => ({ value }),
    (error: unknown): Reply<T> => {
      log.warn('Check failed', { check, ...errorFields(error) });
      return { fault: error instanceof ServiceError ? fateOf(error.code).title : 'the query failed' };
    },
  );
  return within(withinMs, answer, () => {
    log.warn('Check timed out', { check, duration_ms: withinMs });
    return { fault: `no response within ${withinMs / 1000} s` };
  });
}

/** The value; undefined when there is none. */
export function valueOf<T>(reading: Reply<T> | undefined): T | undefined {
  return reading !== undefined && 'value' in reading ? reading.value : undefined;
}

/** Why there is no value; undefined when there is one. */
export function faultOf(reading: Reply<unknown> | undefined): string | undefined {
  return reading !== undefined && 'fault' in reading ? reading.fault : undefined;
}
