import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka } from 'kafkajs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { closing, kafkaCorner, testLog } from '../../test/support/kafka.ts';
import { withoutForeignText } from './client-log.ts';
import { kafkaClient, MAX_WAIT_MS } from './kafkajs.ts';

// The parts of kafkajs that are patched have no public name.
const internals = createRequire(import.meta.url);
const encodeRecord = internals('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (record: object) => {
  buffer: Buffer;
};
const decodeRecord = internals('kafkajs/src/protocol/recordBatch/record/v0/decoder.js') as (
  decoder: object,
  context: object,
) => { headers: object };
const Decoder = internals('kafkajs/src/protocol/decoder.js') as new (buffer: Buffer) => {
  readVarIntBytes(): Buffer;
};

const kafka = await kafkaCorner();

describe('an idle connection', () => {
  // patches/kafkajs: without it a timer is armed every millisecond for as long as the process lives.
  it('does not keep a timer running for requests that do not exist', async () => {
    const admin = closing(await kafka.client.admin());
    await admin.ranges(await kafka.topic('idle'));

    const timers = vi.spyOn(globalThis, 'setTimeout');
    await sleep(300);
    const armed = timers.mock.calls.length;
    timers.mockRestore();

    expect(armed).toBeLessThan(10);
  });
});

describe('a member whose partitions are all paused', () => {
  // patches/kafkajs: without it a partition is fetched up to half a second after it was resumed.
  it('fetches a partition as soon as it is resumed', async () => {
    const topic = await kafka.topic('paused', 1);
    const producer = closing(await kafka.client.producer());
    await producer.send([{ topic, key: null, value: 'x' }]);
    const { promise: assigned, resolve: onAssigned } = Promise.withResolvers<void>();
    const { promise: arrived, resolve: onMessage } = Promise.withResolvers<void>();
    const member = await kafka.client.join(topic, `${topic}-group`, {
      assigned: () => onAssigned(),
      fetched: (_, { messages }) => {
        if (messages.length > 0) onMessage();
        return true;
      },
      lost: () => undefined,
      outOfRange: () => undefined,
      polled: () => undefined,
      ended: () => undefined,
    });
    onTestFinished(() => member.leave());
    await assigned;
    const { promise: asleep, resolve: onSleep } = Promise.withResolvers<void>();
    const timer = globalThis.setTimeout;
    // The member's next sleep has no end.
    vi.spyOn(globalThis, 'setTimeout').mockImplementation((run: () => void, ms?: number) => {
      if (ms !== MAX_WAIT_MS) return timer(run, ms);
      onSleep();
      return timer(() => undefined, 0);
    });
    onTestFinished(() => void vi.restoreAllMocks());
    await asleep;

    member.seek(0, 0n);
    member.resume(0);

    await arrived;
  });
});

describe('a send that fails', () => {
  // patches/kafkajs: without it an idempotent producer must repeat, and would ask nobody whether it may still send.
  it('is not repeated within the client', async () => {
    const topic = await kafka.topic('deleted', 1);
    const lines: string[] = [];
    const producer = closing(await kafkaClient(kafka.config, testLog(lines)).producer());
    await producer.send([{ topic, key: null, value: 'x' }]);
    const admin = new Kafka({ brokers: [...kafka.config.KAFKA_BOOTSTRAP_SERVERS] }).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
    await admin.disconnect();

    // UNKNOWN_TOPIC_OR_PARTITION, which kafkajs takes for a reason to repeat.
    await expect(producer.send([{ topic, key: null, value: 'x' }])).rejects.toThrow();

    expect(lines.filter((line) => line.includes('kafkajs.Producer'))).toHaveLength(1);
  });
});

describe('headers as others send them', () => {
  // patches/kafkajs: without it a null value is a TypeError while encoding, and the message can never be sent.
  it('are written and read without a value, with bytes, and under any name', async () => {
    const topic = await kafka.topic('headers', 1);
    const producer = closing(await kafka.client.producer());
    const headers = {
      nothing: null,
      empty: '',
      bytes: Buffer.from([0, 0xff]),
      ['__proto__']: 'a name',
      constructor: 'another',
    };

    await producer.send([{ topic, key: null, value: 'x', headers }]);

    const [read] = await kafka.read(topic);
    expect(Object.entries(read!.headers)).toEqual([
      ['nothing', null],
      ['empty', Buffer.alloc(0)],
      ['bytes', Buffer.from([0, 0xff])],
      ['__proto__', Buffer.from('a name')],
      ['constructor', Buffer.from('another')],
    ]);
  });

  it('are encoded in the size that is announced, whatever a value is', () => {
    const values = [null, undefined, 'text', Buffer.from('bytes'), 12, true, ['one', null, 3], []];
    const headers = Object.fromEntries(values.map((value, index) => [`h${index}`, value]));

    const { buffer } = encodeRecord({ key: null, value: Buffer.from('x'), headers });

    const record = new Decoder(buffer).readVarIntBytes();
    expect(decodeRecord(new Decoder(record), { firstOffset: 0, firstTimestamp: 0 }).headers).toEqual({
      h0: null,
      h1: null,
      h2: Buffer.from('text'),
      h3: Buffer.from('bytes'),
      h4: Buffer.from('12'),
      h5: Buffer.from('true'),
      h6: [Buffer.from('one'), null, Buffer.from('3')],
    });
  });
});

describe('a message without a key', () => {
  it('goes to the same partition each time, by the beginning of its value', async () => {
    const topic = await kafka.topic('keyless');
    const value = Buffer.alloc(500_000, 'a');
    for (let time = 0; time < 5; time += 1) {
      const producer = closing(await kafka.client.producer());
      await producer.send([{ topic, key: null, value }]);
    }

    const read = await kafka.read(topic);
    expect(read).toHaveLength(5);
    expect(new Set(read.map(({ partition }) => partition)).size).toBe(1);
  });
});

describe('the log of the client', () => {
  it('comes in our format and speaks only as loud as configured', async () => {
    const unreachable = { ...kafka.config, KAFKA_BOOTSTRAP_SERVERS: ['127.0.0.1:9'] };
    const quiet: string[] = [];
    const loud: string[] = [];

    await expect(kafkaClient(unreachable, testLog(loud)).admin()).rejects.toThrow('ECONNREFUSED');
    await expect(
      kafkaClient({ ...unreachable, KAFKA_LOG_LEVEL: 'nothing' }, testLog(quiet)).admin(),
    ).rejects.toThrow('ECONNREFUSED');

    expect(quiet).toEqual([]);
    expect(JSON.parse(loud[0]!)).toMatchObject({ severity: 'WARNING', component: 'kafkajs.Connection' });
  });

  // kafkajs quotes the message in the error, and the error in its log.
  it('never carries a header or a value, whatever fails', async () => {
    const lines: string[] = [];
    const producer = closing(await kafkaClient(kafka.config, testLog(lines)).producer());
    const topic = await kafka.topic('quoted', 1);
    const secret = 'ECONNREFUSED Connection error: Geheimnis lena@example.org';
    const hostile = {
      toString: () => {
        throw new TypeError(`Connecting ${secret}`);
      },
    };

    for (const fields of [
      { value: hostile },
      { value: undefined, headers: { name: secret } },
      { value: 'x', headers: { name: hostile } },
      { value: 'x', key: { secret } },
    ]) {
      await expect(producer.send([{ topic, key: secret, ...fields } as never])).rejects.toThrow();
    }

    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join('\n')).not.toMatch(/geheimnis|lena/i);
  });

  it('names the way that failed', () => {
    expect(withoutForeignText('Connection error: connect ECONNREFUSED 127.0.0.1:9')).toBe(
      'Connection error ECONNREFUSED',
    );
    expect(withoutForeignText('Crash: KafkaJSNumberOfRetriesExceeded: Lena GEHEIM')).toBe(
      'Crash KafkaJSNumberOfRetriesExceeded',
    );
    expect(withoutForeignText('Lena')).toBe('The Kafka client reports something else');
  });
});
