/** The envelope of every event (docs/domain.md#envelope): written for our events, parsed leniently for those of others. */
import { z } from 'zod';
import {
  parseInstant,
  parseTimestamp,
  utcTimestamp,
  type Instant,
  type UtcTimestamp,
} from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';

/** `producer` in each of our envelopes. */
export const PRODUCER = 'patient-service';
/** `version` in each of our envelopes. */
export const ENVELOPE_VERSION = '1.0';

/** The keys that every envelope has. */
export interface Envelope {
  readonly eventId: string;
  readonly eventType: string;
  readonly version: string;
  readonly timestamp: UtcTimestamp;
  readonly producer: string;
  readonly payload: unknown;
}

/** How far a timestamp may be ahead of our clock: one day, so that a producer with a wrong time zone is accepted. */
const MAX_AHEAD_MS = 24 * 60 * 60 * 1000;

/** An envelope of ours. `sequence` counts the patient's events from 1 without gaps. */
export interface NumberedEnvelope extends Envelope {
  readonly sequence: number;
}

/** The parsed envelope of another service. `eventId` is in lower case. */
export interface ForeignEnvelope {
  readonly eventId: string;
  readonly eventType: string;
  readonly occurredAt: Instant;
  readonly payload: unknown;
  /** Size of the whole message. */
  readonly bytes: number;
}

/** Schema of the envelopes of other services. Unknown keys are accepted. */
export const foreignEnvelope = z.looseObject({
  eventId: z.uuid().describe('Identifies the event; an event that was applied before changes nothing'),
  eventType: z.string().min(1).max(200).describe('What happened; a type that is not listed is ignored'),
  version: z.string().describe('1 or 1.x'),
  timestamp: z
    .string()
    .refine((value) => parseInstant(value) !== undefined)
    .describe('When it happened: RFC 3339; without a zone it is UTC, at most a day ahead of our clock'),
  producer: z.string().describe('Who sends it'),
  payload: z.looseObject({}).describe('The data of the event, see its type'),
});

/**
 * Parses a message of another service. Accepts unknown keys; a timestamp without a zone is UTC.
 * @throws ServiceError `event.not_json`, `event.invalid_envelope`, `event.unsupported_version` or
 * `event.timestamp_in_future`; none of them is retriable
 */
export function readEnvelope(value: Buffer | null, now: Instant): ForeignEnvelope {
  const parsed = foreignEnvelope.safeParse(readJson(value));
  if (!parsed.success) throw new ServiceError('event.invalid_envelope');
  const { eventId, eventType, version, timestamp, payload } = parsed.data;
  if (!/^1(\.\d+)?$/.test(version)) throw new ServiceError('event.unsupported_version');
  // Check this before the range of dates: the last hour of the year 9999 is out of range and in the future.
  if ((parseInstant(timestamp)?.epochMilliseconds ?? 0) - now.epochMilliseconds > MAX_AHEAD_MS) {
    throw new ServiceError('event.timestamp_in_future');
  }
  const occurredAt = parseTimestamp(timestamp);
  if (occurredAt === undefined) throw new ServiceError('event.invalid_envelope');
  return { eventId: eventId.toLowerCase(), eventType, occurredAt, payload, bytes: value?.byteLength ?? 0 };
}

function readJson(value: Buffer | null): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value ?? Buffer.alloc(0)));
  } catch {
    // No cause: the parser's message quotes the text, which may hold personal data.
    throw new ServiceError('event.not_json');
  }
}

/** Wraps an event of ours in its envelope. */
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
