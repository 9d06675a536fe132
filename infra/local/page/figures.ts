/** The figures beside the flow: the health verdict, the outbox, the lag, the dead letters. */
import type { Firestore } from '@google-cloud/firestore';
import { openDeadLetterBook, type DeadLetterBook } from '../../../shared/kafka/dead-letter-book.ts';
import { lagOf } from '../../../shared/kafka/lag.ts';
import type { KafkaClient } from '../../../shared/kafka/ports.ts';
import type { DeadLetterCode } from '../../../shared/platform/errors.ts';
import { consumedTopics, type Names } from '../../../shared/kafka/topics.ts';
import { outboxBacklog } from '../../../shared/store/outbox-backlog.ts';
import type { Check, DeadLetter, Figures } from './messages.ts';

export interface FiguresSources {
  /** URL of check-health. */
  readonly health: string;
  readonly db: Firestore;
  readonly client: KafkaClient;
  readonly names: Names;
}

/** Limit of dead letters shown. */
const SHOWN = 50;

/** @returns a function that fetches all figures at once; a figure that does not arrive in time is null */
export function createFigures({ health, db, client, names }: FiguresSources): () => Promise<Figures> {
  const books = consumedTopics.map((topic) => ({
    topic,
    book: openDeadLetterBook(client, names.topics[topic], names.groups.operators, { values: false }),
  }));
  return async () => {
    const [verdict, outbox, lag, deadLetters] = await Promise.all([
      answered(readHealth(health)),
      answered(readOutbox(db)),
      answered(readLag(client, names)),
      answered(Promise.all(books.map(readLetters))),
    ]);
    return { health: verdict, outbox, lag, deadLetters: deadLetters?.flat().slice(0, SHOWN) ?? null };
  };
}

const ANSWER_WITHIN_MS = 3_000;

function answered<T>(asked: Promise<T>): Promise<T | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), ANSWER_WITHIN_MS);
  return Promise.race([asked.catch(() => null), late]).finally(() => clearTimeout(timer));
}

interface Report {
  readonly status: string;
  readonly checks: Readonly<Record<string, Omit<Check, 'name'>>>;
}

async function readHealth(url: string): Promise<Figures['health']> {
  const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  const { status, checks } = (await answer.json()) as Report;
  return {
    status,
    checks: Object.entries(checks).map(([name, { status, reasons, runbooks }]) => ({
      name,
      status,
      reasons,
      runbooks,
    })),
  };
}

async function readOutbox(db: Firestore): Promise<Figures['outbox']> {
  const { events, mails, oldest } = await outboxBacklog(db);
  const age = oldest === undefined ? 0 : Date.now() - oldest.epochMilliseconds;
  return { events, mails, oldestSeconds: Math.max(0, Math.round(age / 1000)) };
}

async function readLag(client: KafkaClient, names: Names): Promise<Figures['lag']> {
  const admin = await client.admin();
  try {
    const lags = await Promise.all(
      consumedTopics.map(async (name) => {
        const topic = names.topics[name];
        const partitions = await lagOf(admin, names.groups[name], topic);
        return partitions.map(({ partition, committed, end, lag }) => ({
          topic,
          partition,
          committed: committed === undefined ? null : String(committed),
          end: String(end),
          lag,
        }));
      }),
    );
    return lags.flat();
  } finally {
    await admin.close().catch(() => undefined);
  }
}

async function readLetters({ topic, book }: { topic: string; book: DeadLetterBook }): Promise<DeadLetter[]> {
  await book.refresh();
  return book.open().map(({ message, reason }) => {
    const error = reason?.errorClass ?? 'unreadable';
    return {
      place: `${topic}:${message.partition}:${message.offset}`,
      error,
      message: reason?.errorMessage ?? 'It is not a dead letter of this service',
      at: reason?.failedAt ?? null,
      origin:
        reason === undefined
          ? null
          : `${reason.origin.topic}:${reason.origin.partition}:${reason.origin.offset}`,
      advice: advice[error as keyof typeof advice] ?? 'Ask its sender, then drop it.',
    };
  });
}

const BROKEN_CONTRACT = 'The sender broke the contract: they fix it and send again; drop this one.';

/** The advice of docs/runbooks/dead-letters.md in a sentence, by the reason of the dead letter. */
const advice: Readonly<Record<DeadLetterCode | 'unreadable', string>> = {
  'event.not_json': BROKEN_CONTRACT,
  'event.invalid_envelope': BROKEN_CONTRACT,
  'event.invalid_payload': BROKEN_CONTRACT,
  'event.unsupported_version': 'Extend the reader, then replay it.',
  'event.too_large': 'The sender sends a smaller one; drop this one.',
  'event.timestamp_in_future': 'The sender fixes their clock and sends again; drop this one.',
  'event.handler_failed': 'A fault of this service: fix it, deploy, then replay it.',
  'event.patients_left': 'Fix the error for the patients named here, then replay it.',
  'event.process_killer': 'It ended the worker each time: fix the fault, then replay it.',
  unreadable: 'Look at it with --value, then drop it.',
};
