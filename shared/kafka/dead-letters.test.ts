import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { consumerCorner, markers, noNotes } from '../../test/support/consuming.ts';
import { eventually } from '../../test/support/eventually.ts';
import { closing, testLog } from '../../test/support/kafka.ts';
import { ServiceError } from '../platform/errors.ts';
import { SharedLock } from '../platform/shared-lock.ts';
import { runConsumer } from './consumer.ts';
import { readReason, writeDeadLetter } from './dead-letters.ts';
import type { IncomingMessage, OutgoingMessage } from './ports.ts';
import { createPublisher, type Publisher } from './publish.ts';

const { kafka, consuming, publish, committed } = await consumerCorner();

describe('a consumer', () => {
  it('puts poison into the dead letters with its bytes, its headers and the reason', async () => {
    const topic = await kafka.topic('poison', 1);
    const headers = { ce_id: 'a-1', traceparent: 'broken' };
    const poison = randomBytes(40);
    await closing(createPublisher(kafka.client)).publish([
      { topic, key: 'k', value: 'good' },
      { topic, key: 'k', value: poison, headers },
      { topic, key: 'k', value: randomBytes(700_000) },
      { topic, key: null, value: 'bug' },
      { topic, key: 'k', value: 'last' },
    ]);

    const { seen } = consuming(topic, {
      handle: async ({ value }) => {
        if (value?.equals(poison) === true) throw new ServiceError('event.not_json');
        if (String(value) === 'bug') throw new TypeError('secret detail');
        seen.push(String(value));
      },
    });

    await eventually(async () => expect(await committed(topic)).toBe(5n));
    expect(seen).toEqual(['good', 'last']);
    const letters = await kafka.read(`${topic}.dlq`);
    const byOffset = (offset: string) =>
      letters.find((l) => String(l.headers['dlq-origin-offset']) === offset)!;
    const text = ({ headers }: IncomingMessage) =>
      Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    expect(letters).toHaveLength(3);
    expect(byOffset('1')).toMatchObject({ key: Buffer.from('k'), value: poison });
    expect(text(byOffset('1'))).toEqual({
      ...headers,
      'dlq-origin-topic': topic,
      'dlq-origin-partition': '0',
      'dlq-origin-offset': '1',
      'dlq-error-class': 'event.not_json',
      'dlq-error-message': 'The message is not valid UTF-8 JSON',
      'dlq-attempts': '1',
      'dlq-failed-at': expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(text(byOffset('2'))['dlq-error-class']).toBe('event.too_large');
    expect(text(byOffset('3'))['dlq-error-message']).toBe(
      'The handler failed because of a fault in this service (TypeError)',
    );
    expect(byOffset('3').key).toBeNull();
  });

  it('writes a dead letter without its value when it fits with its reason no more', async () => {
    const topic = await kafka.topic('brim', 1);
    const publisher = closing(createPublisher(kafka.client));
    await publisher.publish([{ topic, key: 'k', value: randomBytes(1_048_576 - 100) }]);

    consuming(topic);

    await eventually(async () => expect(await committed(topic)).toBe(1n));
    const [letter] = await kafka.read(`${topic}.dlq`);
    expect(letter).toMatchObject({ key: Buffer.from('k'), value: null });
    expect(String(letter!.headers['dlq-omitted-value-bytes'])).toBe('1048476');
    expect(String(letter!.headers['dlq-omitted'])).toBe('headers,value');
  });

  it('keeps a header without a value, and lets the next message of the key go on', async () => {
    const topic = await kafka.topic('null-header', 1);
    await closing(createPublisher(kafka.client)).publish([
      { topic, key: '9', value: 'poison', headers: { nullhdr: null, 'dlq-origin-topic': 'patient-events' } },
      { topic, key: '9', value: 'next' },
    ]);

    const { seen } = consuming(topic, {
      handle: async ({ value }) => {
        if (String(value) === 'poison') throw new ServiceError('event.not_json');
        seen.push(String(value));
      },
    });

    await eventually(async () => expect(await committed(topic)).toBe(2n));
    expect(seen).toEqual(['next']);
    const [letter] = await kafka.read(`${topic}.dlq`);
    expect(letter!.headers['nullhdr']).toBeNull();
    expect(String(letter!.headers['dlq-origin-topic'])).toBe(topic);
  });

  it('keeps the value when the headers alone are too large', async () => {
    const topic = await kafka.topic('headers', 1);
    const headers = { large: randomBytes(1_048_576 - 200) };
    await closing(createPublisher(kafka.client)).publish([{ topic, key: 'k', value: 'x', headers }]);

    consuming(topic, {
      handle: async () => {
        throw new ServiceError('event.not_json');
      },
    });

    await eventually(async () => expect(await committed(topic)).toBe(1n));
    const [letter] = await kafka.read(`${topic}.dlq`);
    expect(letter).toMatchObject({ key: Buffer.from('k'), value: Buffer.from('x') });
    expect(String(letter!.headers['dlq-omitted'])).toBe('headers');
  });
});

describe('a dead letter that the client fails to encode', () => {
  const failure = { code: 'event.not_json', attempts: 1, error: undefined } as const;
  const message: IncomingMessage = {
    topic: 'events',
    partition: 0,
    offset: 7n,
    timestamp: 0,
    key: Buffer.from('k'),
    value: Buffer.from('v'),
    headers: { h: 'x' },
  };
  /** Refuses what the test says, as a client with a fault does. */
  const publisherThat = (refuses: (letter: OutgoingMessage) => boolean) => {
    const sent: OutgoingMessage[] = [];
    const publisher: Publisher = {
      connect: async () => undefined,
      close: async () => undefined,
      async publish([letter]) {
        if (refuses(letter!)) throw new ServiceError('event.unsendable');
        sent.push(letter!);
      },
    };
    return { publisher, sent };
  };

  it.each<[string, (letter: OutgoingMessage) => boolean, readonly string[]]>([
    ['nothing', () => false, []],
    ['its headers', ({ headers }) => headers?.['h'] !== undefined, ['headers']],
    ['its value', ({ value }) => value !== null, ['headers', 'value']],
    ['its key', ({ key }) => key !== null, ['headers', 'value', 'key']],
  ])('is written without what stands in the way: %s', async (_, refuses, omitted) => {
    const { publisher, sent } = publisherThat(refuses);
    const kept = await writeDeadLetter(publisher, message, failure, new Date());
    expect(kept).toMatchObject({ written: true, omitted });
    expect(readReason(sent[0]!.headers!, 'events')).toMatchObject({ origin: { offset: 7n }, omitted });
  });

  it('is passed over with a trace when it cannot be written at all', async () => {
    const topic = await kafka.topic('unwritable', 1);
    await publish(topic, ['poison', 'next'], 1);
    const lines: string[] = [];
    let tries = 0;
    const { publisher } = publisherThat(() => (tries += 1) > 0);

    const { seen } = consuming(topic, {
      publisher,
      log: testLog(lines),
      handle: async ({ value }) => {
        if (String(value) === 'poison') throw new TypeError('secret detail');
        seen.push(String(value));
      },
    });

    await eventually(async () => expect(await committed(topic)).toBe(2n));
    expect([seen, tries]).toEqual([['next'], 4]);
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          severity: 'ERROR',
          topic,
          partition: 0,
          offset: '0',
          error_code: 'event.unsendable',
        }),
        expect.objectContaining({ metrics: { errors: 1 }, labels: { error_code: 'event.unsendable' } }),
      ]),
    );
    expect(lines.join()).not.toContain('secret');
  });
});

describe('a process that dies', () => {
  it('leaves a marker, by which the next ones find the killer and bury it', async () => {
    const topic = await kafka.topic('killer', 1);
    await publish(topic, ['a', 'b', 'killer', 'c', 'd'], 5);
    const { board } = markers();
    const seen: string[] = [];

    // A process that is killed neither stops nor lowers its markers: each consumer here is abandoned in mid-work.
    for (let death = 0; death < 6; death += 1) {
      const dying = Promise.withResolvers<void>();
      const consumer = runConsumer({
        client: kafka.client,
        topic,
        group: `${topic}-group`,
        publisher: closing(createPublisher(kafka.client)),
        unreadable: noNotes,
        inFlight: { ...markers(board).inFlight, lower: async () => undefined },
        lock: new SharedLock(),
        log: testLog(),
        finishWithinMs: 50,
        handle: async ({ value }) => {
          if (String(value) === 'killer') {
            dying.resolve();
            await new Promise(() => undefined);
          }
          seen.push(String(value));
        },
      });
      const survived = eventually(async () => expect(await committed(topic)).toBe(5n)).then(() => true);
      const outcome = await Promise.race([dying.promise.then(() => false), survived]);
      await consumer.stop();
      if (outcome) break;
    }

    const letters = await kafka.read(`${topic}.dlq`);
    expect(letters.map(({ value }) => String(value))).toEqual(['killer']);
    expect(String(letters[0]!.headers['dlq-error-class'])).toBe('event.process_killer');
    expect(new Set(seen)).toEqual(new Set(['a', 'b', 'c', 'd']));
  });

  it('leaves suspects that the next one does not forget when it stops in order before it has tried them', async () => {
    const topic = await kafka.topic('suspects', 1);
    await publish(topic, ['a', 'b', 'suspect'], 5);
    const left = { until: 3n, suspects: [{ offset: 2n, times: 2 }] };
    const { board, inFlight } = markers(new Map([[0, left]]));
    const { consumer } = consuming(topic, {
      inFlight,
      handle: async ({ offset }) => {
        if (offset === 2n) throw new ServiceError('store.unavailable');
      },
    });
    await eventually(() => expect(consumer.state().waiting).toEqual([0]));

    await consumer.stop();

    expect(board.get(0)).toEqual(left);
  });
});
