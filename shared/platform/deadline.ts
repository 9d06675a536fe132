/** Waits with a deadline, for calls that may be slow or never return. */

/**
 * Waits at most `ms` milliseconds for `work`. After that the work keeps running, but its result is ignored.
 * @param onLate called at the deadline; its return value or error becomes the result
 */
export function within<T, L>(ms: number, work: Promise<T>, onLate: () => L): Promise<T | L> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return Promise.race([work, late.then(onLate)]).finally(() => clearTimeout(timer));
}
