/**
 * Stands in for Eventarc (in its own process): delivers each finalized object of the import bucket to the
 * import function as a binary CloudEvent, at least once. The Storage emulator writes the journal before it
 * answers an upload; the deliverer notes acknowledged events beside it, so a restart of either process loses nothing.
 */
import pLimit, { type LimitFunction } from 'p-limit';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { appendLine, followLines, parseLine } from './lines.ts';

/** One line of the journal. */
export interface Finalized {
  readonly id: string;
  readonly object: { readonly bucket: string; readonly name: string; readonly timeCreated: string };
}

export interface DeliveryOptions {
  readonly journal: string;
  /** Where the ids of acknowledged events are noted. */
  readonly delivered: string;
  /** The function's URL. */
  readonly target: string;
  /** Only events of this bucket are delivered: the trigger's filter. */
  readonly bucket: string;
  /** First wait after a refusal, doubled up to `maxBackoffMs`. Production: 10 s to 600 s. */
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** Number of deliveries of each event; production promises at least 1. */
  readonly copies: number;
  readonly signal: AbortSignal;
}

const AT_ONCE = 40;

/** Delivers until the signal is aborted: first the unacknowledged events of an earlier run, then new ones. */
export async function deliverFinalized(options: DeliveryOptions): Promise<void> {
  mkdirSync(dirname(options.delivered), { recursive: true });
  const done = new Set(idsIn(options.delivered));
  const limit = pLimit(AT_ONCE);
  for await (const line of followLines(options.journal, { signal: options.signal })) {
    const event = parseLine(line) as Finalized | undefined;
    if (event === undefined || event.object.bucket !== options.bucket || done.has(event.id)) continue;
    void deliver(event, options, limit);
  }
}

async function deliver(event: Finalized, options: DeliveryOptions, limit: LimitFunction): Promise<void> {
  const { signal, minBackoffMs, maxBackoffMs } = options;
  let backoff = minBackoffMs;
  while (!signal.aborted) {
    const copies = Array.from({ length: options.copies }, () => limit(() => isAcknowledged(event, options)));
    if ((await Promise.all(copies)).every(Boolean)) {
      appendLine(options.delivered, { id: event.id });
      return;
    }
    await delay(backoff, undefined, { signal }).catch(() => undefined);
    backoff = Math.min(backoff * 2, maxBackoffMs);
  }
}

async function isAcknowledged(event: Finalized, { target, signal }: DeliveryOptions): Promise<boolean> {
  return deliverOnce(event, target, signal).catch(() => false);
}

/** @returns whether the function acknowledged the event @throws TypeError or DOMException when there was no answer */
export async function deliverOnce(event: Finalized, target: string, signal?: AbortSignal): Promise<boolean> {
  const answer = await fetch(target, {
    method: 'POST',
    headers: headersOf(event),
    body: JSON.stringify(event.object),
    signal: AbortSignal.any([...(signal === undefined ? [] : [signal]), AbortSignal.timeout(60_000)]),
  });
  await answer.body?.cancel();
  return answer.ok;
}

/** The headers that Eventarc sends: https://cloud.google.com/eventarc/docs/cloudevents */
export function headersOf({ id, object }: Finalized): Record<string, string> {
  return {
    'content-type': 'application/json',
    'ce-specversion': '1.0',
    'ce-id': id,
    'ce-type': 'google.cloud.storage.object.v1.finalized',
    'ce-source': `//storage.googleapis.com/projects/_/buckets/${object.bucket}`,
    'ce-subject': `objects/${object.name.split('/').map(percentEncode).join('/')}`,
    'ce-time': object.timeCreated,
    'ce-bucket': object.bucket,
  };
}

/** Percent-encodes lone surrogates too, which object names may hold and for which encodeURIComponent throws. */
function percentEncode(segment: string): string {
  return encodeURIComponent(segment.toWellFormed());
}

function idsIn(file: string): string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => (parseLine(line) as { id: string } | undefined)?.id)
    .filter((id) => id !== undefined);
}

if (import.meta.main) {
  const [journal = '', delivered = '', target = '', bucket = ''] = process.argv.slice(2);
  const stopped = new AbortController();
  process.once('SIGTERM', () => stopped.abort());
  await deliverFinalized({
    journal,
    delivered,
    target,
    bucket,
    minBackoffMs: Number(process.env['EVENTARC_MIN_BACKOFF_MS'] ?? 200),
    maxBackoffMs: Number(process.env['EVENTARC_MAX_BACKOFF_MS'] ?? 2_000),
    copies: Number(process.env['EVENTARC_COPIES'] ?? 1),
    signal: stopped.signal,
  });
}
