import { expect, it } from 'vitest';
import type { Admin, IncomingMessage, KafkaClient, MemberEvents } from './ports.ts';
import { readTopic } from './read-topic.ts';

const message = (offset: bigint): IncomingMessage => ({
  topic: 'events',
  partition: 0,
  offset,
  timestamp: 0,
  key: null,
  value: null,
  headers: {},
});

/** A topic of one partition with 6 messages, of which the first `low` are deleted. */
function shrinkingTopic() {
  let low = 0n;
  const client = {
    admin: async () =>
      ({
        ranges: async () => new Map([[0, { low, high: 6n }]]),
        deleteGroup: async () => undefined,
        close: async () => undefined,
      }) as unknown as Admin,
    async join(_topic: string, _group: string, events: MemberEvents) {
      queueMicrotask(() => events.assigned([0]));
      return {
        seek: (partition: number, offset: bigint) =>
          queueMicrotask(() => {
            if (offset < low) return events.outOfRange(partition);
            const next = offset < 2n ? 2n : 6n;
            const messages = [0n, 1n, 2n, 3n, 4n, 5n].filter((at) => at >= offset && at < next).map(message);
            events.fetched(partition, { messages, next, unreadable: undefined, topicId: undefined });
            if (next < 6n) {
              low = 4n;
              events.outOfRange(partition);
            }
          }),
        resume: () => undefined,
        leave: async () => undefined,
      };
    },
  } as unknown as KafkaClient;
  return client;
}

it('reads the rest when messages are deleted while it reads', async () => {
  const begins: bigint[] = [];
  const offsets: bigint[] = [];
  const end = await readTopic(shrinkingTopic(), 'events', {
    group: 'reader',
    onBeginning: (_, offset) => void begins.push(offset),
    onMessage: ({ offset }) => void offsets.push(offset),
  });
  expect(begins).toEqual([0n, 4n]);
  expect(offsets).toEqual([0n, 1n, 4n, 5n]);
  expect(end).toEqual(new Map([[0, 6n]]));
});
