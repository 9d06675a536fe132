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
