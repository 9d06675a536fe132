/**
 * `ops dlq`: lists and shows the dead letters of both consumed topics, sends them to their topic again or drops them for
 * good. Values may hold personal data, so they are shown only for a named place.
 */
import {
  openDeadLetterBook,
  resolve,
  type DeadLetter,
  type DeadLetterBook,
  type Resolution,
} from '../../shared/kafka/dead-letter-book.ts';
import { revived, withoutOurs, type DeadLetterReason } from '../../shared/kafka/dead-letters.ts';
import { patientId } from '../../shared/patient/schema.ts';
import { parseTimestamp } from '../../shared/platform/clock.ts';
import { consumedTopics, type ConsumedTopic } from '../../shared/kafka/topics.ts';
import type { Context } from './context.ts';
import { keepRate, resumable } from './interruption.ts';
import { counted, type Output } from './output.ts';

/** Selects dead letters; without a filter, all. */
export interface Filter {
  readonly topic?: ConsumedTopic;
  /** Error class, such as `event.invalid_payload`. */
  readonly error?: string;
  /** Dead-lettered at or after this instant, RFC 3339. */
  readonly since?: string;
  /** `topic:partition:offset` as listed. */
  readonly place?: readonly string[];
}

export async function list(context: Context, output: Output, filter: Filter): Promise<void> {
  const letters = await find(context, filter);
  output.table(
    ['place', 'error', 'attempts', 'failed_at', 'origin', 'bytes'],
    letters.map(({ place, letter, letter: { message, reason } }) => [
      place,
      errorClassOf(reason),
      reason?.attempts ?? null,
      reason?.failedAt ?? null,
      originOf(letter),
      message.value?.byteLength ?? 0,
    ]),
  );
  output.say(letters.length === 0 ? 'No dead letters.' : `${counted(letters.length, 'dead letter')}.`);
}

export async function show(
  context: Context,
  output: Output,
  place: string,
  withContent: boolean,
): Promise<void> {
  const [found] = await find(context, { place: [place] });
  if (found === undefined) throw new UnknownPlace(place);
  const { message, reason } = found.letter;
  context.audit('answered', { patientIds: patientsOf(found.letter) });
  output.fields({
    place,
    error: errorClassOf(reason),
    message: reason?.errorMessage ?? 'It is not a dead letter of this service',
    attempts: reason?.attempts ?? null,
    failed_at: reason?.failedAt ?? null,
    origin: originOf(found.letter),
    omitted: reason?.omitted.join(', ') ?? '',
    bytes: message.value?.byteLength ?? 0,
    ...(withContent
      ? {
          ...Object.fromEntries(
            Object.entries(withoutOurs(message.headers)).map(([name, value]) => [
              `header ${name}`,
              value?.toString() ?? null,
            ]),
          ),
          key: message.key?.toString() ?? null,
          value: message.value?.toString() ?? null,
        }
      : {}),
  });
}

/** The error class that is shown for a message in the dead-letter topic that is no letter of ours. */
const UNREADABLE = 'unreadable';

function errorClassOf(reason: DeadLetterReason | undefined): string {
  return reason?.errorClass ?? UNREADABLE;
}

function originOf({ reason }: DeadLetter): string | null {
  if (reason === undefined) return null;
  const { topic, partition, offset } = reason.origin;
  return `${topic}:${partition}:${offset}`;
}

/** The ids of the patients that a letter concerns: its event's patient, and those named in its reason. */
function patientsOf({ message, reason }: DeadLetter): number[] {
  const named = /to patient ((?:\d+(?:, )?)+)/.exec(reason?.errorMessage ?? '')?.[1]?.split(', ') ?? [];
  const ids = [patientOfEvent(message.value), ...named.map(Number)];
  return ids.flatMap((id) => patientId.safeParse(id).data ?? []);
}

/** The patient id of a message, which may hold anything. */
function patientOfEvent(value: Buffer | null): unknown {
  try {
    const event = JSON.parse(value?.toString() ?? '') as { payload?: { patient_id?: unknown } | null } | null;
    return event?.payload?.patient_id;
  } catch {
    return undefined;
  }
}

export interface Handling {
  readonly how: Resolution;
  readonly dryRun: boolean;
  /** Dead letters a second; undefined: as fast as Kafka takes them. */
  readonly rate: number | undefined;
}

/**
 * Replays or drops the letters that match the filter. An interrupted replay may be repeated: consumers apply an event
 * once.
 * A replay goes to the topic that the dead letters belong to, whatever topic their headers name.
 * @returns false when letters were left: one without its key or value cannot be replayed
 */
export async function handle(
  context: Context,
  output: Output,
  filter: Filter,
  { how, dryRun, rate }: Handling,
): Promise<boolean> {
  const letters = await find(context, filter);
  const isLeft = ({ letter: { reason } }: Found) =>
    how === 'replayed' && (reason?.omitted ?? []).some((part) => part !== 'headers');
  const handled = letters.filter((found) => !isLeft(found));
  if (!dryRun) {
    context.audit('changed', { patientIds: handled.flatMap(({ letter }) => patientsOf(letter)) });
    await handleAll(context, output, handled, filter, { how, rate });
    await forget(context, new Set(handled.map(({ topic }) => topic)));
  }
  const outcome = dryRun ? `would be ${how}` : how;
  output.table(
    ['place', 'error', 'outcome'],
    letters.map((found) => [
      found.place,
      errorClassOf(found.letter.reason),
      isLeft(found) ? 'left' : outcome,
    ]),
  );
  output.say(`${counted(handled.length, 'dead letter')} ${outcome}.`);
  const left = letters.length - handled.length;
  if (left > 0)
    output.say(`${left} left: they were too large to keep their value; \`show\` names the origin.`, 'bad');
  return left === 0;
}

async function handleAll(
  context: Context,
  output: Output,
  letters: readonly Found[],
  { place }: Filter,
  { how, rate }: Omit<Handling, 'dryRun'>,
): Promise<void> {
  const publisher = await context.publisher();
  const { topics } = (await context.kafka()).names;
  let done = 0;
  const work = () =>
    output.during({ what: how, total: letters.length }, async (progress) => {
      for (const { topic, letter } of letters) {
        context.signal.throwIfAborted();
        const started = performance.now();
        if (how === 'replayed') await publisher.publish([revived(letter.message, topics[topic])]);
        await resolve(publisher, letter, how, new Date());
        progress.to((done += 1));
        await keepRate(rate, started, context.signal);
      }
    });
  await resumable(work, () => {
    const left = letters.slice(done).map((found) => found.place);
    const next =
      place === undefined
        ? 'Run the same command again to continue.'
        : `Continue with the rest: ${left.join(' ')}`;
    return `${counted(done, 'dead letter')} ${how}, ${left.length} left. ${next}`;
  });
}

/** No open dead letter has this place. */
export class UnknownPlace extends Error {
  constructor(place: string) {
    super(`There is no open dead letter at ${place}; \`ops dlq list\` shows the places.`);
  }
}

interface Found {
  readonly place: string;
  readonly topic: ConsumedTopic;
  readonly letter: DeadLetter;
}

async function find(context: Context, { topic, error, since, place }: Filter): Promise<Found[]> {
  const wanted = topic === undefined ? consumedTopics : [topic];
  const perTopic = await Promise.all(wanted.map((name) => openLetters(context, name)));
  const after = since === undefined ? undefined : Date.parse(since);
  const found = perTopic.flat();
  const missing = place?.find((name) => !found.some((one) => one.place === name));
  if (missing !== undefined) throw new UnknownPlace(missing);
  return found
    .filter(({ letter: { reason } }) => error === undefined || errorClassOf(reason) === error)
    .filter(({ letter }) => after === undefined || diedAt(letter) >= after)
    .filter((found) => place === undefined || place.includes(found.place));
}

/** Milliseconds since the epoch. */
function diedAt({ message, reason }: DeadLetter): number {
  return parseTimestamp(reason?.failedAt ?? '')?.epochMilliseconds ?? message.timestamp;
}

async function openLetters(context: Context, topic: ConsumedTopic): Promise<Found[]> {
  const book = await readBook(context, topic);
  return book.open().map((letter) => ({
    place: `${topic}:${letter.message.partition}:${letter.message.offset}`,
    topic,
    letter,
  }));
}

async function readBook(context: Context, topic: ConsumedTopic): Promise<DeadLetterBook> {
  const { client, names } = await context.kafka();
  const book = openDeadLetterBook(client, names.topics[topic], names.groups.operators);
  await book.refresh();
  return book;
}

/** Resolved letters need not be kept; a cluster that forbids the deletion keeps them until the topic's retention ends. */
async function forget(context: Context, topics: ReadonlySet<ConsumedTopic>): Promise<void> {
  const admin = await context.admin();
  for (const topic of topics) {
    const book = await readBook(context, topic);
    await book.prune(admin).catch(() => undefined);
  }
}
