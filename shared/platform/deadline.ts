/** Waiting with a deadline, for calls that may take long or never answer. */

/**
 * Waits at most `ms` for `work`. The work goes on afterwards, and its result is dropped.
 * @param onLate called when the time is over; what it returns or throws takes the place of the answer
 */
export function within<T, L>(ms: number, work: Promise<T>, onLate: () => L): Promise<T | L> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return Promise.race([work, late.then(onLate)]).finally(() => clearTimeout(timer));
}
