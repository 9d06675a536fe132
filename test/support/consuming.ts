/** A consumer in the test's process, on the test's own topics, and a record of what it did. */
import { onTestFinished } from 'vitest';
import { runConsumer, type ConsumerOptions } from '../../shared/kafka/consumer.ts';
import type { InFlight, Marker } from '../../shared/platform/in-flight.ts';
import { createPublisher } from '../../shared/kafka/publish.ts';
import type { UnreadableNotes } from '../../shared/kafka/unreadable.ts';
import { SharedLock } from '../../shared/platform/shared-lock.ts';
import { closing, kafkaCorner, testLog } from './kafka.ts';

export async function consumerCorner() {
  const kafka = await kafkaCorner();

  /** Consumes until the test ends; `seen` holds the values in the order of handling. */
  function consuming(topic: string, overrides: Partial<ConsumerOptions> = {}) {
    const seen: string[] = [];
    const consumer = runConsumer({
      client: kafka.client,
      topic,
      group: `${topic}-group`,
      handle: async ({ value }) => void seen.push(String(value)),
      publisher: closing(createPublisher(kafka.client)),
      inFlight: markers().inFlight,
      lock: new SharedLock(),
      unreadable: noNotes,
      log: testLog(),
      backoff: { firstMs: 20, lastMs: 200 },
      finishWithinMs: 1_000,
      ...overrides,
    });
    onTestFinished(() => consumer.stop());
    return { consumer, seen };
  }

  async function publish(topic: string, values: readonly (string | Buffer)[], keys = 10): Promise<void> {
    await closing(createPublisher(kafka.client)).publish(
      values.map((value, n) => ({ topic, key: String(n % keys), value })),
    );
  }

  /** The number of messages of the topic that the consumers have committed. */
  async function committed(topic: string): Promise<bigint> {
    const admin = await kafka.client.admin();
    const offsets = await admin.committed(`${topic}-group`, topic);
    await admin.close();
    return [...offsets.values()].reduce((sum, { offset }) => sum + offset, 0n);
  }

  return { kafka, consuming, publish, committed };
}

/** For consumers that meet only readable batches. */
export const noNotes: UnreadableNotes = { standing: async () => undefined, ended: async () => undefined };

/** Markers in memory that survive a consumer, as the stored ones survive a process. */
export function markers(board = new Map<number, Marker>()) {
  const own = new Set<number>();
  const inFlight: InFlight = {
    async raise({ partition }, marker) {
      own.add(partition);
      board.set(partition, marker);
    },
    async lower({ partition }, suspicion) {
      if (!own.delete(partition)) return;
      if (suspicion === undefined) board.delete(partition);
      else board.set(partition, suspicion);
    },
    left: async ({ partition }) => (own.has(partition) ? undefined : board.get(partition)),
  };
  return { board, inFlight };
}
