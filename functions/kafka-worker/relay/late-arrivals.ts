/**
 * A message that was sent and never answered may still reach the topic: one of a leader that was killed or cut off, or
 * one of an attempt of this worker that ended without an answer. Nothing but `patient.deleted` minds: an older event that
 * comes after it would bring the person back in every reader, so it waits until nothing late can arrive any more.
 */
export interface LateArrivals {
  /** @param unsettledForMs milliseconds since a leader left unsettled messages behind; undefined: none ever has */
  tookOver(unsettledForMs: number | undefined): void;
  /** An attempt of this worker ended, and some of its messages may be under way. */
  unanswered(): void;
  /** True when nothing that was sent before can arrive any more. */
  isSettled(): boolean;
  /** Milliseconds until then. */
  settledInMs(): number;
}

/**
 * How long a message can be under way. The client gives a request up after 15 s, and the one of a former leader may have
 * begun in the last moment of its lease; as long again is left for what its machine or the network still hold.
 */
const UNDER_WAY_MS = 30_000;

export function createLateArrivals(
  underWayMs = UNDER_WAY_MS,
  now: () => number = () => performance.now(),
): LateArrivals {
  let until = -Infinity;
  const settledInMs = () => Math.max(0, until - now());
  return {
    tookOver(unsettledForMs) {
      if (unsettledForMs !== undefined) until = Math.max(until, now() + underWayMs - unsettledForMs);
    },
    unanswered: () => (until = now() + underWayMs),
    isSettled: () => settledInMs() === 0,
    settledInMs,
  };
}
