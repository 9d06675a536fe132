/**
 * Batches in a topic that no client can read. The broker accepts none, so these are made as a failing disk makes them:
 * valid batches, damaged in the broker's own files while the worker is down.
 */
import { open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { damages, type Damage } from '../support/raw-batch.ts';
import type { RawProducer } from '../support/raw-producer.ts';
import type { TestStack } from '../support/stack.ts';
import { aMailTo } from '../support/patients-world.ts';

export interface Unreadable {
  readonly damage: Damage;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Events of one key, directly before and after the batch. */
  readonly before: string;
  readonly behind: string;
}

/** The parts of a world that exist before its worker runs. */
interface Place {
  readonly stack: TestStack;
  readonly producer: RawProducer;
  /** The patient of the events. */
  readonly patient: number;
}

/** Fills one partition of communication-events for each kind of damage. The worker must be down. */
export async function placeUnreadable({ stack, producer, patient }: Place): Promise<Unreadable[]> {
  const topic = 'communication-events';
  const placed: Unreadable[] = [];
  for (const [partition, damage] of (Object.keys(damages) as Damage[]).entries()) {
    const events = [aMailTo(patient), aMailTo(patient), aMailTo(patient)] as const;
    const offsets: bigint[] = [];
    for (const event of events) {
      const record = { key: 'unreadable', value: JSON.stringify(event) };
      offsets.push(await producer.produce(topic, partition, [record]));
    }
    const offset = offsets[1]!;
    await damageBatch(stack, topic, partition, offset, damage);
    placed.push({
      damage,
      topic,
      partition,
      offset,
      before: events[0].eventId,
      behind: events[2].eventId,
    });
  }
  return placed;
}

/** Damages the stored batch that begins at `offset`. */
async function damageBatch(
  stack: TestStack,
  topic: string,
  partition: number,
  offset: bigint,
  damage: Damage,
): Promise<void> {
  const folder = join(dirname(stack.dropFolder), 'data/kafka/log', `${topic}-${partition}`);
  const path = join(folder, '00000000000000000000.log');
  const content = await readFile(path);
  for (let at = 0; at < content.length; at += 12 + content.readInt32BE(at + 8)) {
    if (content.readBigInt64BE(at) !== offset) continue;
    const batch = content.subarray(at, at + 12 + content.readInt32BE(at + 8));
    damages[damage](batch);
    const file = await open(path, 'r+');
    await file.write(batch, 0, batch.length, at);
    await file.close();
    return;
  }
  throw new Error(`${topic}/${partition} has no batch at ${offset}`);
}
