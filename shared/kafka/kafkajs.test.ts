import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { closing, kafkaCorner, testLog } from '../../test/support/kafka.ts';
import { kafkaClient } from './kafkajs.ts';

// The parts of kafkajs that are patched have no public name.
const internals = createRequire(import.meta.url);
const createSendMessages = internals('kafkajs/src/producer/sendMessages.js') as (
  parts: object,
) => (batch: object) => Promise<unknown>;
const createRetry = internals('kafkajs/src/retry/index.js') as (options: object) => unknown;
const { createErrorFromCode } = internals('kafkajs/src/protocol/error.js') as {
  createErrorFromCode: (code: number) => Error;
};
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
const NOT_LEADER = 6;
const noTransactions = {
  acquireBrokerLock: async () => {},
  releaseBrokerLock: async () => {},
  isTransactional: () => false,
  getSequence: () => 0,
  updateSequence: () => {},
  getProducerId: () => 1,
  getProducerEpoch: () => 0,
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

describe('a send while the leader of a partition moves', () => {
  // patches/kafkajs: without it the broker that had answered before is not asked again, and the message is lost.
  it('reaches the new leader, although that one had answered for its other partitions', async () => {
    const appended: string[] = [];
    const leaders = new Map([
      [0, 'a'],
      [1, 'b'],
    ]);
    const brokers = new Map(['a', 'b'].map((nodeId) => [nodeId, aBroker(nodeId, leaders, appended)]));
    const cluster = {
      refreshMetadataIfNecessary: async () => {},
      addMultipleTargetTopics: async () => {},
      isConnected: () => true,
      refreshMetadata: async () => void leaders.set(1, 'a'),
      findTopicPartitionMetadata: () => [0, 1].map((partitionId) => ({ partitionId })),
      findLeaderForPartitions: (_: string, partitions: string[]) =>
        Object.groupBy(partitions.map(Number), (partition) => leaders.get(partition)!),
      findBroker: async ({ nodeId }: { nodeId: string }) => brokers.get(nodeId),
    };
    const send = createSendMessages({
      logger: { debug: () => {}, error: () => {} },
      cluster,
      partitioner: ({ message }: { message: { partition: number } }) => message.partition,
      eosManager: noTransactions,
      retrier: createRetry({ retries: 2, initialRetryTime: 1 }),
    });

    const messages = [0, 1].map((partition) => ({ partition, value: `to ${partition}` }));
    await send({ acks: -1, topicMessages: [{ topic: 'events', messages }] });

    expect(new Set(appended)).toEqual(new Set(['a: to 0', 'a: to 1']));
  });
});

interface Produced {
  topicData: { partitions: { partition: number; messages: { value: string }[] }[] }[];
}

/** Takes what belongs to partitions that it leads, and refuses the rest as a broker does. */
function aBroker(nodeId: string, leaders: ReadonlyMap<number, string>, appended: string[]) {
  return {
    nodeId,
    async produce({ topicData }: Produced) {
      const entries = topicData.flatMap(({ partitions }) => partitions);
      // The broker that loses its partition in this moment answers last.
      if (nodeId === 'b') {
        await sleep(20);
        throw createErrorFromCode(NOT_LEADER);
      }
      for (const { partition, messages } of entries) {
        if (leaders.get(partition) !== nodeId) throw createErrorFromCode(NOT_LEADER);
        appended.push(...messages.map(({ value }) => `${nodeId}: ${value}`));
      }
      return { topics: [] };
    },
  };
}

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
});
