/** A visitor's actions on the stack: drop files, stop and kill parts, send poison messages, deliver twice. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { ImportBucket } from '../../../shared/registration/bucket.ts';
import { createPublisher } from '../../../shared/kafka/publish.ts';
import type { KafkaClient, OutgoingMessage } from '../../../shared/kafka/ports.ts';
import type { Names } from '../../../shared/kafka/topics.ts';
import { uploadDropped } from '../dropped-file.ts';
import { deliverOnce } from '../eventarc.ts';
import { run } from '../process.ts';
import type { Supervised } from '../supervisor.ts';
import { brokenExample, goodExample, type ExampleFile } from './examples.ts';
import type { Upload } from './files.ts';

const OPS = resolve(import.meta.dirname, '../../../functions/ops/index.ts');

export const EXAMPLE_KINDS = ['good', 'broken', 'twice'] as const;
export const PART_ACTIONS = ['stop', 'kill', 'start'] as const;
export const POISONS = ['not_json', 'future', 'no_envelope'] as const;

export interface ActionSources {
  readonly bucket: ImportBucket;
  readonly client: KafkaClient;
  readonly names: Names;
  /** URL of the import function. */
  readonly importUrl: string;
  /** The environment in which the operators' command runs. */
  readonly environment: NodeJS.ProcessEnv;
}

export function createActions({ bucket, client, names, importUrl, environment }: ActionSources) {
  let broken = 0;
  const publisher = createPublisher(client);

  return {
    uploadFile: (name: string, bytes: Buffer) => uploadDropped(bucket, bytes, name),

    /** @returns the names of the files that were uploaded */
    async dropExamples(kind: (typeof EXAMPLE_KINDS)[number], count: number): Promise<string[]> {
      const files = Array.from({ length: count }, () => examplesOf(kind, () => broken++)).flat();
      await Promise.all(files.map(({ name, content }) => uploadDropped(bucket, Buffer.from(content), name)));
      return files.map(({ name }) => name);
    },

    /** Delivers the event of a file again, as Eventarc may. @returns whether the import acknowledged it */
    deliverAgain: ({ event }: Upload) => deliverOnce({ ...event, id: randomUUID() }, importUrl),

    async poison(kind: (typeof POISONS)[number]): Promise<void> {
      await publisher.publish([poisonOf(kind, names.topics.communication)]);
    },

    /** `npm run ops -- dlq replay|drop --place PLACE`. @returns its output @throws Error with its output */
    settleDeadLetter: (how: 'replay' | 'drop', place: string) =>
      run(process.execPath, [OPS, 'dlq', how, place], { env: environment }),

    close: () => publisher.close(),
  };
}

export type Actions = ReturnType<typeof createActions>;

/** Resolves when the part has stopped, died or started. */
export function actOn(part: Supervised, action: (typeof PART_ACTIONS)[number]): Promise<void> {
  return part[action]();
}

/** `twice`: one registration under two names, as when somebody sends the form again. */
function examplesOf(kind: (typeof EXAMPLE_KINDS)[number], nextFault: () => number): ExampleFile[] {
  if (kind === 'broken') return [brokenExample(nextFault())];
  const file = goodExample();
  return kind === 'good' ? [file] : [file, { ...file, name: file.name.replace('.json', '-again.json') }];
}

/** Messages that can never be applied: each must end as a dead letter and block no other message. */
function poisonOf(kind: (typeof POISONS)[number], topic: string): OutgoingMessage {
  const id = randomUUID();
  const envelope = {
    eventId: id,
    eventType: 'email.sent',
    version: '1.0',
    timestamp: kind === 'future' ? '2999-01-01T00:00:00Z' : new Date().toISOString(),
    producer: 'communication-service',
    payload: { email_id: 1, email_data: {}, communication_type: 'email', patient_id: 1, therapist_id: null },
  };
  const { eventType: _, ...withoutType } = envelope;
  const value =
    kind === 'not_json' ? '{ "eventId": ' : JSON.stringify(kind === 'no_envelope' ? withoutType : envelope);
  return { topic, key: id, value, headers: {} };
}
