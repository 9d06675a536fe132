/** Checks whether events and mails are sent. */
import type { Facts } from '../facts.ts';
import { faultOf, valueOf } from '../reading.ts';
import { degraded, unanswered, verdict, type Check } from './check.ts';

/** The relay takes milliseconds, so an older entry is not being sent. */
const OUTBOX_LATE_SECONDS = 30;

/** As `/health` answers it; null: not known. */
export type OutboxCheck = Check<{ readonly entries: number | null; readonly oldest_seconds: number | null }>;

/** Degraded when an entry waits for longer than the relay takes. */
export function judgeOutbox({ outbox }: Facts): OutboxCheck {
  const backlog = valueOf(outbox);
  return verdict({ entries: backlog?.entries ?? null, oldest_seconds: backlog?.oldest_seconds ?? null }, [
    unanswered('degraded', 'health-unreachable', 'the outbox could not be read', faultOf(outbox)),
    backlog !== undefined && backlog.oldest_seconds > OUTBOX_LATE_SECONDS
      ? degraded(
          'outbox-age',
          `events or mails waiting to be sent: ${backlog.entries}, the oldest for ${backlog.oldest_seconds} s`,
        )
      : undefined,
  ]);
}
