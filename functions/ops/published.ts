/** Reads the whole topic patient-events, for commands that compare it with Firestore. */
import { z } from 'zod';
import { PRODUCER } from '../../shared/events/envelope.ts';
import { patientId } from '../../shared/patient/schema.ts';
import { ServiceError } from '../../shared/platform/errors.ts';
import { readTopic } from '../../shared/kafka/read-topic.ts';
import type { Context } from './context.ts';
import type { Output } from './output.ts';
import type { PublishedEvent } from '../../shared/events/reconcile.ts';

/** How far back the topic reaches. */
export interface Reach {
  /** True when nothing was ever deleted from it. */
  readonly complete: boolean;
  /** When the oldest message was appended after which nothing was deleted; undefined when it cannot be determined. */
  readonly since: number | undefined;
}

/** Which part of the topic to read, and what its progress says; everything by default. */
export interface Part {
  readonly partition: number;
  /** How far an earlier part came, in words. */
  readonly place: string | undefined;
}

/** @throws ServiceError `kafka.unavailable` */
export async function readPublished(
  context: Context,
  output: Output,
  onEvent: (event: PublishedEvent) => void,
  part?: Part,
): Promise<Reach> {
  const { client, names } = await context.kafka();
  const all = await (await context.admin()).ranges(names.topics.patients);
  const ranges = new Map(
    [...all].filter(([partition]) => part === undefined || partition === part.partition),
  );
  const total = [...ranges.values()].reduce((sum, { low, high }) => sum + Number(high - low), 0);
  /** For each partition whose beginning was deleted: when its first remaining message was appended. */
  const begins = new Map<number, number>();
  let read = 0;
  const what = part === undefined ? 'reading the topic' : `reading partition ${part.partition} of the topic`;
  await output.during({ what, total }, (progress) => {
    progress.to(0, part?.place);
    return readTopic(client, names.topics.patients, {
      partition: part?.partition,
      group: names.groups.operators,
      signal: context.signal,
      onBeginning: (partition, offset) => {
        // A result about a topic that shrinks meanwhile could be wrong.
        if (offset > (ranges.get(partition)?.low ?? 0n))
          throw new ServiceError('kafka.unavailable', {
            detail: 'Messages of the topic were deleted while it was read',
          });
      },
      onMessage: ({ partition, timestamp, value }) => {
        progress.to((read += 1), part?.place);
        if (!begins.has(partition)) begins.set(partition, timestamp);
        const event = publishedEvent(value);
        if (event !== undefined) onEvent(event);
      },
    });
  });
  const cut = [...ranges].filter(([, { low }]) => low > 0n).map(([partition]) => begins.get(partition));
  return {
    complete: cut.length === 0,
    since: cut.includes(undefined) ? undefined : Math.max(0, ...cut.map((time) => time ?? 0)),
  };
}

/** In range, because the restore fence raises the ids and the numbers of the database above these. */
const published = z.looseObject({
  eventId: z.string(),
  eventType: z.string(),
  producer: z.literal(PRODUCER),
  sequence: z.int32().min(1),
  payload: z.looseObject({ patient_id: patientId }),
});

/** Undefined for tombstones and for messages of other producers, which are not checked. */
export function publishedEvent(value: Buffer | null): PublishedEvent | undefined {
  const { data: event } = published.safeParse(parse(value));
  if (event === undefined) return undefined;
  const { eventId, eventType, sequence, payload } = event;
  return { patientId: payload.patient_id, sequence, eventId, eventType };
}

function parse(value: Buffer | null): unknown {
  try {
    return JSON.parse(String(value));
  } catch {
    return undefined;
  }
}
