/**
 * A message that was sent and never answered may still reach the topic. A leader that was killed or cut off may have
 * sent it, or an attempt of this worker that got no answer. Only `patient.deleted` must wait for it: an older event that
 * arrived after the deletion would bring the person back in every reader.
 */
export interface LateArrivals {
  /** @param unsettledForMs milliseconds since a leader left unanswered messages behind; undefined if none ever did */
  tookOver(unsettledForMs: number | undefined): void;
  /** Notes that an attempt of this worker ended and some of its messages may still be in flight. */
  unanswered(): void;
  /** True when no message sent earlier can still arrive. */
  isSettled(): boolean;
  /** Milliseconds until {@link isSettled} becomes true; 0 when it is. */
  settledInMs(): number;
}

/**
 * How long a message can be in flight. The client gives up a request after 15 s, and a former leader may have begun one
 * in the last moment of its lease. Another 15 s allow for delays in its machine and the network.
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
