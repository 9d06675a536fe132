/**
 * The envelope around every event (docs/domain.md#envelope): written for ours, read leniently from others.
 */
import { z } from 'zod';
import {
  parseInstant,
  parseTimestamp,
  utcTimestamp,
  type Instant,
  type UtcTimestamp,
} from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';

export const PRODUCER = 'patient-service';
export const ENVELOPE_VERSION = '1.0';

export interface Envelope {
  readonly eventId: string;
  readonly eventType: string;
  readonly version: string;
  readonly timestamp: UtcTimestamp;
  readonly producer: string;
  readonly payload: unknown;
}

/** How far a producer's clock may be ahead of ours: a day, so that one with a wrong zone is still heard. */
const MAX_AHEAD_MS = 24 * 60 * 60 * 1000;

/** An envelope of ours: it carries the patient's own event number, from 1 without gaps. */
export interface NumberedEnvelope extends Envelope {
  readonly sequence: number;
}

/** An envelope of another service, as read. */
export interface ForeignEnvelope {
  readonly eventId: string;
  readonly eventType: string;
  readonly occurredAt: Instant;
  readonly payload: unknown;
}

/** The envelope of other services; unknown keys are accepted. */
export const foreignEnvelope = z.looseObject({
  eventId: z.uuid(),
  eventType: z.string().min(1).max(200),
  version: z.string(),
  timestamp: z.string().refine((value) => parseInstant(value) !== undefined),
  producer: z.string(),
  payload: z.looseObject({}),
});

/**
 * Reads a message of another service: unknown keys are accepted, a timestamp without a zone is UTC.
 * @throws ServiceError `event.not_json`, `event.invalid_envelope`, `event.unsupported_version` or
 * `event.timestamp_in_future`; none is worth a retry
 */
export function readEnvelope(value: Buffer | null, now: Instant): ForeignEnvelope {
  const parsed = foreignEnvelope.safeParse(readJson(value));
  if (!parsed.success) throw new ServiceError('event.invalid_envelope');
  const { eventId, eventType, version, timestamp, payload } = parsed.data;
  if (!/^1(\.\d+)?$/.test(version)) throw new ServiceError('event.unsupported_version');
  // Judged first: the last hour of the year 9999 is in the future too, though no date of ours.
  if ((parseInstant(timestamp)?.epochMilliseconds ?? 0) - now.epochMilliseconds > MAX_AHEAD_MS) {
    throw new ServiceError('event.timestamp_in_future');
  }
  const occurredAt = parseTimestamp(timestamp);
  if (occurredAt === undefined) throw new ServiceError('event.invalid_envelope');
  return { eventId: eventId.toLowerCase(), eventType, occurredAt, payload };
}

function readJson(value: Buffer | null): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value ?? Buffer.alloc(0)));
  } catch {
    // Without the cause: a parser's message quotes the text, which may be a patient's.
    throw new ServiceError('event.not_json');
  }
}

export function writeEnvelope(
  event: { readonly type: string; readonly payload: unknown },
  stamp: { readonly eventId: string; readonly sequence: number; readonly at: Instant },
): NumberedEnvelope {
  return {
    eventId: stamp.eventId,
    eventType: event.type,
    version: ENVELOPE_VERSION,
    timestamp: utcTimestamp(stamp.at),
    producer: PRODUCER,
    sequence: stamp.sequence,
    payload: event.payload,
  };
}
