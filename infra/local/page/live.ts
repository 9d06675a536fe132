/**
 * Watches the stack for the viewers of the page: logs, topic, mailbox, Firestore and health. It begins when the page is
 * first opened, and fetches figures only while the page is open, so that a stack without a viewer costs nothing.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Firestore } from '@google-cloud/firestore';
import type { KafkaClient } from '../../../shared/kafka/ports.ts';
import type { Names } from '../../../shared/kafka/topics.ts';
import { finalizedJournal } from '../engines/storage.ts';
import { followLines, parseLine } from '../lines.ts';
import { createFigures } from './figures.ts';
import { followFiles, type Files } from './files.ts';
import { countGuarantees } from './guarantees.ts';
import { createTopicHistory, type TopicHistory } from './history.ts';
import { followMails, type Mails } from './mails.ts';
import type { Journey, PartState, State } from './messages.ts';
import { createJourneys, isImport, traceOf, type LogLine } from './steps.ts';
import { followTopic } from './topic.ts';

export interface Watched {
  readonly db: Firestore;
  readonly client: KafkaClient;
  readonly names: Names;
  readonly bucket: string;
  readonly health: string;
  /** The stack's data folder. */
  readonly data: string;
  readonly logFile: (part: (typeof LOGGED)[number]) => string;
  readonly parts: () => readonly PartState[];
}

export interface Live {
  readonly history: TopicHistory;
  readonly mails: Mails;
  readonly files: Files;
  /** Requests of the page itself that no visitor caused; the flow does not show them. */
  ignore(traceId: string): void;
  /** @param send receives the whole state first, then the changes @returns a function that ends it */
  subscribe(send: (change: Partial<State>) => void): () => void;
}

/** Parts whose logs show the flow. */
const LOGGED = ['import', 'api', 'worker', 'health'] as const;
/** Bytes read from the end of each log, so that a first viewer sees recent steps. */
const LAST_BYTES = 1 << 19;
const FLUSH_MS = 100;
const FIGURES_MS = 2_000;
const COUNT_MS = 1_000;
/** Without new events Firestore is still read again, but less often. */
const COUNT_IDLE_MS = 5_000;

export function watchStack(watched: Watched, signal: AbortSignal): Live {
  const { db, client, names } = watched;
  const journeys = createJourneys();
  const history = createTopicHistory();
  const ignored = new Set<string>();
  const viewers = new Set<(change: Partial<State>) => void>();
  const changedJourneys = new Map<string, Journey>();
  let changes: Partial<State> = {};
  let guarantees: State['guarantees'] = null;
  let figures: State['figures'] = null;
  let isDirty = true;

  const noteJourneys = (changed: readonly Journey[]) => {
    if (viewers.size > 0) for (const journey of changed) changedJourneys.set(journey.id, journey);
  };
  const mails = followMails(join(watched.data, 'communication', 'mails.jsonl'), signal, () => {
    isDirty = true;
  });
  const files = followFiles(
    { journal: finalizedJournal(join(watched.data, 'storage')), bucket: watched.bucket, db, signal },
    (row) => noteJourneys(journeys.addUpload(row)),
    () => (changes = { ...changes, files: files.latest() }),
  );
  const follower = followTopic({
    client,
    topic: names.topics.patients,
    group: `${names.groups.operators}-page`,
    signal,
    onBeginning: (isComplete) => history.begin(isComplete),
    onMessage: (message) => {
      history.add(message);
      isDirty = true;
    },
  });
  const askFigures = createFigures({ health: watched.health, db, client, names });

  function takeLine(line: LogLine): void {
    if (isImport(line)) files.noteImport(String(line['record_id']));
    if (!ignored.has(traceOf(line))) noteJourneys(journeys.addLine(line));
  }
  for (const part of LOGGED) {
    void (async () => {
      for await (const text of followLines(watched.logFile(part), { signal, last: LAST_BYTES })) {
        const line = parseLine(text);
        if (typeof line === 'object' && line !== null) takeLine(line as LogLine);
      }
    })();
  }

  /** Repeats the task while the page is open. */
  const repeat = (everyMs: number, work: () => Promise<void> | void) => {
    void (async () => {
      while (!signal.aborted) {
        if (viewers.size > 0) await work();
        await delay(everyMs, undefined, { signal }).catch(() => undefined);
      }
    })();
  };
  let parts = '';
  repeat(FLUSH_MS, () => {
    const states = watched.parts();
    if (JSON.stringify(states) !== parts) changes = { ...changes, parts: states };
    parts = JSON.stringify(states);
    if (changedJourneys.size > 0) changes = { ...changes, journeys: [...changedJourneys.values()] };
    changedJourneys.clear();
    if (Object.keys(changes).length === 0) return;
    for (const send of viewers) send(changes);
    changes = {};
  });
  repeat(FIGURES_MS, async () => {
    [figures] = await Promise.all([askFigures(), files.lookAgain()]);
    changes = { ...changes, figures };
  });
  let countedAt = 0;
  repeat(COUNT_MS, async () => {
    if (!isDirty && Date.now() - countedAt < COUNT_IDLE_MS) return;
    isDirty = false;
    const started = Date.now();
    try {
      const counted = await countGuarantees({ db, history, follower, mails });
      guarantees = counted ?? guarantees;
      if (counted === undefined) isDirty = true;
    } catch {
      isDirty = true;
      if (guarantees !== null)
        guarantees = {
          ...guarantees,
          stale: 'Firestore or Kafka does not answer: these figures are from the last count',
        };
    }
    changes = { ...changes, guarantees };
    countedAt = Date.now();
    // Reading a large stack takes long: wait longer then, to leave most of the time to its own work.
    await delay(Math.min(30_000, 4 * (countedAt - started)), undefined, { signal }).catch(() => undefined);
  });

  return {
    history,
    mails,
    files,
    ignore(traceId) {
      ignored.add(traceId);
      for (const oldest of ignored) {
        if (ignored.size <= 1_000) break;
        ignored.delete(oldest);
      }
    },
    subscribe(send) {
      viewers.add(send);
      send({
        parts: watched.parts(),
        journeys: journeys.latest(),
        files: files.latest(),
        guarantees,
        figures,
      });
      return () => void viewers.delete(send);
    },
  };
}
