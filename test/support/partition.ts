/** The work on one partition, with handlers and dead letters that only record what they get. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Failure } from '../../shared/kafka/dead-letters.ts';
import { PartitionWork, type PartitionOptions } from '../../shared/kafka/partition-work.ts';
import type { IncomingMessage } from '../../shared/kafka/ports.ts';
import type { Marker } from '../../shared/platform/in-flight.ts';
import { SharedLock } from '../../shared/platform/shared-lock.ts';
import { testLog } from './kafka.ts';

/** @param keys one character for each message @param from the first offset */
export function messages(keys: string, from = 0): IncomingMessage[] {
  return keys.split('').map((key, index) => ({
    topic: 'topic',
    partition: 0,
    offset: BigInt(from + index),
    timestamp: 0,
    key: Buffer.from(key),
    value: Buffer.from(`${key}${from + index}`),
    headers: {},
  }));
}

/** A message that may have killed its process this many times. */
export const suspect = (offset: bigint, times: number) => ({ offset, times });

/** Starts at offset 0, with 4 messages at a time. */
export function aPartition(overrides: Partial<PartitionOptions> = {}) {
  const handled: bigint[] = [];
  const progress: bigint[] = [];
  const raised: Marker[] = [];
  const dead: { offset: bigint; failure: Failure }[] = [];
  const partition = new PartitionWork({
    start: 0n,
    left: undefined,
    laneOf: ({ key }) => String(key),
    concurrency: 4,
    maxMessageBytes: 1_000,
    backoff: { firstMs: 1, lastMs: 5 },
    handle: async ({ offset }) => void handled.push(offset),
    deadLetter: async ({ offset }, failure) => void dead.push({ offset, failure }),
    raise: async (marker) => void raised.push(marker),
    lock: new SharedLock(),
    onProgress: (next) => progress.push(next),
    log: testLog(),
    ...overrides,
  });
  const until = async (condition: () => boolean) => {
    for (const end = Date.now() + 60_000; !condition() && Date.now() < end;) await sleep(2);
    expect(condition()).toBe(true);
  };
  const work = {
    accept: (messages: readonly IncomingMessage[], next = (messages.at(-1)?.offset ?? -1n) + 1n) =>
      partition.accept(messages, next),
    isWaiting: () => partition.isWaiting,
    suspicion: () => partition.suspicion,
    close: () => partition.close(),
  };
  return { work, handled, progress, raised, dead, until };
}
