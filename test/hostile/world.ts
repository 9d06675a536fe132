/** A started stack under watch, with functions to send it any input and to look up the outcome. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { expect } from 'vitest';
import { recordIdOf, type ImportRecord } from '../../shared/store/imports.ts';
import { eventually } from '../support/eventually.ts';
import { rawProducer } from '../support/raw-producer.ts';
import { opsOn } from '../support/ops.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import type { PartName } from '../../infra/local/parts.ts';
import { aBody } from '../support/api.ts';
import { runImportFunction } from './import-function.ts';
import { placeUnreadable } from './unreadable.ts';
import { startWatch } from './watch.ts';

type Role = keyof ReturnType<TestStack['describe']>['tokens'];

interface Sent {
  readonly role?: Role | undefined;
  readonly token?: string;
  /** Sent as JSON, unless it is a string or bytes. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

/** A dead letter as `ops --json dlq list` shows it. */
export interface ListedLetter {
  readonly place: string;
  readonly error: string;
  readonly origin: string;
}

/** The worker's log line about a dead letter. */
interface BuriedMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly error_code: string;
}

export async function startHostileWorld() {
  const stack = await startTestStack();
  const { api: apiUrl, tokens, kafka: broker, communication } = stack.describe();
  const producer = rawProducer(broker);
  const kafka = new Kafka({ clientId: 'hostile', brokers: [broker], logLevel: logLevel.NOTHING });

  async function request(method: string, path: string, sent: Sent = {}): Promise<Answered> {
    const { role = 'admin', token = tokens[role], body, headers = {} } = sent;
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const answer = await fetch(apiUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get('content-type') ?? '');
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      body: (isJson ? JSON.parse(text) : {}) as Record<string, unknown>,
    };
  }

  async function create(fields: Record<string, unknown> = {}): Promise<number> {
    const { status, body } = await request('POST', '/api/patients', { body: aBody(fields) });
    expect(status, JSON.stringify(body)).toBe(201);
    return body['id'] as number;
  }

  const ops = opsOn(stack, { KAFKA_BOOTSTRAP_SERVERS: broker });

  /** Lines of a part's log that contain a text. */
  async function logged(part: PartName, text: string): Promise<Record<string, unknown>[]> {
    const lines = (await readFile(stack.logFile(part), 'utf8')).split('\n');
    return lines
      .filter((line) => line.includes(text))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  const letters = async () =>
    (await logged('worker', 'A message became a dead letter')) as unknown as BuriedMessage[];

  /** The error code of the message's dead letter, as logged by the worker; undefined while there is none. */
  async function buried(topic: string, partition: number, offset: bigint): Promise<string | undefined> {
    const found = (await letters()).filter(
      (one) => one.topic === topic && one.partition === partition && one.offset === String(offset),
    );
    expect(found.length, 'dead letters of one message').toBeLessThanOrEqual(1);
    return found[0]?.error_code;
  }

  const [patient, ...probed] = (await Promise.all(Array.from({ length: 17 }, () => create()))) as [
    number,
    ...number[],
  ];
  await stack.part('worker').stop();
  const unreadable = await placeUnreadable({ stack, producer, patient });
  await stack.part('worker').start();
  const standingSince = Date.now();
  await eventually(async () => {
    const answer = await fetch(`http://127.0.0.1:${stack.settings.ports.worker}/readyz`);
    expect(answer.status).toBe(200);
  });

  const watch = startWatch(stack, producer, probed);
  for (const { topic, partition } of unreadable) watch.leaveOut(topic, partition);

  return {
    stack,
    logged,
    kafka,
    producer,
    request,
    create,
    ops,
    watch,
    /** The patient to whom an example's events are addressed. */
    patient,
    /** The batches in the topics before the worker started. */
    unreadable,
    standingSince,
    read: async (id: number) => (await request('GET', `/api/patients/${id}`)).body,
    deadLetters: async () => JSON.parse(await ops('--json', 'dlq', 'list')) as ListedLetter[],
    /** Resolves once the event is in the patient's history. */
    untilInHistory: async (id: number, eventId: string): Promise<void> => {
      await eventually(async () => {
        const history = stack.db.collection(`patients/${id}/communication`);
        const entries = await history.where('event_id', '==', eventId).get();
        expect(entries.size, `event ${eventId} is in the history`).toBe(1);
      });
    },
    untilApplied: async (eventId: string): Promise<void> => {
      await eventually(async () => {
        const note = await stack.db.doc(`applied_events/${eventId}`).get();
        expect(note.get('complete'), `event ${eventId} is complete`).toBe(true);
      });
    },
    /** Uploads an object below `incoming/`; `settled` resolves with its outcome. */
    upload: async (
      content: string | Buffer | object,
      {
        name = `incoming/${randomUUID()}.json`,
        metadata = {},
      }: { name?: string; metadata?: Record<string, string> } = {},
    ) => {
      const bytes = Buffer.isBuffer(content)
        ? content
        : Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
      const file = stack.bucket.file(name);
      await file.save(bytes, {
        resumable: false,
        metadata: { contentType: 'application/json', ...metadata },
      });
      const id = recordIdOf(stack.bucket.name, name, String(file.metadata.generation));
      return {
        id,
        name,
        settled: () =>
          eventually(async () => {
            const record = (await stack.db.doc(`imports/${id}`).get()).data() as ImportRecord | undefined;
            expect(record?.archived_at).toEqual(expect.any(String));
            return record!;
          }),
      };
    },
    /** Resolves when no mail of an earlier example is waiting. */
    untilMailsAreSent: (): Promise<void> =>
      eventually(async () => {
        const waiting = await stack.db.collection('outbox').where('kind', '==', 'mail').count().get();
        expect(waiting.data().count).toBe(0);
      }),
    mails: async (what: 'emails' | 'system-messages'): Promise<Record<string, unknown>[]> => {
      const answer = await fetch(`${communication}/api/${what}?limit=1000`);
      return ((await answer.json()) as { data: Record<string, unknown>[] }).data;
    },
    buried,
    /** Resolves when the message is a dead letter, with this code if one is given. */
    untilBuried: async (topic: string, partition: number, offset: bigint, code?: string): Promise<void> => {
      const letter = await eventually(async () => {
        const found = await buried(topic, partition, offset);
        expect(found, `${topic}/${partition}/${offset} is a dead letter`).toBeDefined();
        return found;
      });
      if (code !== undefined) expect(letter).toBe(code);
    },
    /** A key that belongs to this partition of a consumed topic. */
    keyOf(partition: number): string {
      const partitionMetadata = Array.from({ length: 6 }, (_, partitionId) => ({ partitionId, leader: 1 }));
      const choose = Partitioners.DefaultPartitioner() as (choice: object) => number;
      const keys = Array.from({ length: 100 }, (_, n) => String(n));
      return keys.find((key) => choose({ topic: '', partitionMetadata, message: { key } }) === partition)!;
    },
    /** Resolves when a message after this offset is a dead letter. */
    untilBuriedBehind: (topic: string, partition: number, offset: bigint) =>
      eventually(async () => {
        const later = (await letters()).filter((one) => one.topic === topic && one.partition === partition);
        expect(later.some((one) => BigInt(one.offset) > offset)).toBe(true);
      }),
    startedWith: (variables: Record<string, string>) => runImportFunction(stack, variables),
    /** How many consumed messages had this outcome. */
    countedOutcome: async (outcome: string) =>
      (await logged('worker', '"events_consumed":')).filter(
        (line) => (line['labels'] as { outcome?: string } | undefined)?.outcome === outcome,
      ).length,
    /** The worker's report on the group that reads the topic. */
    groupStatus: async (topic: string): Promise<{ lag: number | null } | undefined> => {
      const status = (await stack.db.doc('worker_status/kafka-worker').get()).data();
      const groups = (status?.['groups'] ?? []) as { topic: string; lag: number | null }[];
      return groups.find((group) => group.topic === topic);
    },
    stop: async (): Promise<void> => {
      producer.close();
      await stack.stop();
    },
  };
}

export type HostileWorld = Awaited<ReturnType<typeof startHostileWorld>>;
