/**
 * One worker leads, the others stand by (docs/architecture.md#the-outbox-and-the-relay). The lease only makes repeats
 * rare: events would not be lost or reordered without it. The caller passes in the leader's work.
 */
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Firestore } from '@google-cloud/firestore';
import { delayAfter, pauseFor } from '../../../shared/platform/backoff.ts';
import { within } from '../../../shared/platform/deadline.ts';
import { errorFields, type Log } from '../../../shared/platform/log.ts';
import { releaseLease, renewLease, takeLease, type Lease } from '../../../shared/store/leases.ts';

/** The time for which this process leads. */
export interface Term {
  /** Given when the term is over. Events acknowledged by then are still deleted from the outbox. */
  readonly signal: AbortSignal;
  /**
   * True while no other worker can have taken over. Check it immediately before each send: a process that was paused or
   * waited too long must discard what it has read.
   */
  isHeld(): boolean;
  /** Ends the term. The lease expires, and the worker that takes it next reads the database afresh. */
  resign(): void;
  /** {@link Lease.unsettledForMs} at the start of the term. */
  readonly unsettledForMs: number | undefined;
}

/** What a leader reports at the end of its term. */
export interface TermResult {
  /** False when a message that this worker sent was never answered and may still arrive. */
  readonly isSettled: boolean;
}

export interface Leadership {
  isLeader(): boolean;
  /** When the loop last began a round, in milliseconds since the epoch; it also runs on a stand-by. */
  lastTurnAt(): number;
  /** Ends the term, and releases the lease if its work ends in time. */
  stop(): Promise<void>;
}

export interface LeaseTiming {
  readonly ttlMs: number;
  readonly renewMs: number;
}

const TIMING: LeaseTiming = { ttlMs: 15_000, renewMs: 5_000 };
const BACKOFF = { firstMs: 250, lastMs: 5_000 };
const FINISH_WITHIN_MS = 6_000;

/** @param lead must end soon after its term's signal is given, and not before */
export function seekLeadership(
  db: Firestore,
  name: string,
  log: Log,
  lead: (term: Term) => Promise<TermResult>,
  { ttlMs, renewMs }: LeaseTiming = TIMING,
): Leadership {
  const holder = randomUUID();
  const stopping = new AbortController();
  let leading = false;
  let lastTurnAt = Date.now();

  const done = (async () => {
    for (let failures = 0; !stopping.signal.aborted;) {
      lastTurnAt = Date.now();
      const asked = performance.now();
      try {
        const lease = await takeLease(db, name, holder, ttlMs);
        failures = 0;
        if (lease === undefined) await pauseFor(renewMs, stopping.signal);
        else await hold(lease, asked + ttlMs);
      } catch (error) {
        failures += 1;
        if (failures === 1) log.warn('The lease could not be requested', errorFields(error));
        await pauseFor(delayAfter(failures, BACKOFF), stopping.signal);
      }
    }
  })();

  /** Leads until the lease is lost or not renewed in time, or this process stops. */
  async function hold(first: Lease, firstUntil: number): Promise<void> {
    let lease: Lease | undefined = first;
    let until = firstUntil;
    const ended = new AbortController();
    setMaxListeners(0, ended.signal);
    const isInTime = () => performance.now() < until;
    const work = lead({
      signal: ended.signal,
      isHeld: () => !ended.signal.aborted && isInTime(),
      resign: () => ended.abort(),
      unsettledForMs: first.unsettledForMs,
    });
    const over = AbortSignal.any([stopping.signal, ended.signal]);
    leading = true;
    log.info('This worker relays', { count: first.epoch });

    while (lease !== undefined && isInTime()) {
      await pauseFor(renewMs, over);
      lastTurnAt = Date.now();
      if (over.aborted || !isInTime()) break;
      const asked = performance.now();
      try {
        lease = await renewLease(lease);
        until = asked + ttlMs;
      } catch (error) {
        log.warn('The lease was not renewed', errorFields(error));
      }
    }

    ended.abort();
    leading = false;
    if (!stopping.signal.aborted) {
      log.warn('This worker stands by: its lease was lost or renewed too late');
      await work;
    } else if (lease !== undefined) {
      const result = await within(FINISH_WITHIN_MS, work, () => undefined);
      if (result === undefined) return;
      await releaseLease(lease, result.isSettled).catch((error: unknown) =>
        log.warn('The lease was not handed over and will expire', errorFields(error)),
      );
    }
  }

  return {
    isLeader: () => leading,
    lastTurnAt: () => lastTurnAt,
    async stop() {
      stopping.abort();
      await done;
    },
  };
}
