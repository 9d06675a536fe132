/**
 * Relayed events per second compared with a bare loop that queries pages, sends them with kafkajs and deletes them, and
 * with sending alone, which shows the cost of the outbox.
 */
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { createWriteStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { eventsQuery } from '../../shared/store/outbox-events.ts';
import { SHARDS } from '../../shared/store/outbox.ts';
import { createLog } from '../../shared/platform/log.ts';
import { relayWorld } from '../support/relay-world.ts';
import { percentile, type Bench } from './rows.ts';

const ROUNDS = 5;
const PATIENTS = 100;
const EVENTS_EACH = 40;
const PAGE = 500;

type World = Awaited<ReturnType<typeof relayWorld>>;

export const bench: Bench = async (progress) => {
  const ours = await relayWorld();
  const bare = await relayWorld();
  const sink = createWriteStream('/dev/null');
  const log = createLog({ service: 'bench', project: 'bench', destination: sink });
  const client = new Kafka({
    brokers: [...bare.kafka.config.KAFKA_BOOTSTRAP_SERVERS],
    logLevel: logLevel.NOTHING,
  });
  const producer = client.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
    maxInFlightRequests: 1,
    retry: { retries: 5 },
  });
  await producer.connect();
  const publisher = createPublisher(ours.kafka.client, { attempts: 1 });
  await publisher.connect();
  const send = (messages: { key: string; value: string }[]) =>
    producer.sendBatch({ acks: -1, topicMessages: [{ topic: bare.topic, messages }] });
  for (const world of [ours, bare]) for (let id = 1; id <= PATIENTS; id += 1) await world.register(id);

  const relayed: number[] = [];
  const looped: number[] = [];
  const sent: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    progress(`round ${round} of ${ROUNDS}: ${PATIENTS * EVENTS_EACH} events each way, the first to warm up`);
    // Alternating, so that changes of the machine's speed affect all.
    const rates = [
      await timed(ours, async () => {
        const relay = ours.start({ log, publisher, lease: { ttlMs: 15_000, renewMs: 5_000 } });
        // The end shows when each shard was found empty; poll often, since a round takes about a second.
        for (let look = 0; relay.state().lastRelayAt === undefined; look += 1) {
          if (look > 20_000) throw new Error('the relay has not finished');
          await sleep(5);
        }
        return () => relay.stop();
      }),
      await timed(bare, async () => {
        await Promise.all(Array.from({ length: SHARDS }, (_, shard) => drain(bare, shard, send)));
        return async () => undefined;
      }),
      await plain(bare, send),
    ] as const;
    if (round === 0) continue;
    relayed.push(rates[0]);
    looped.push(rates[1]);
    sent.push(rates[2]);
  }
  await Promise.all([producer.disconnect(), publisher.close()]);
  await Promise.all([ours.close(), bare.close()]);
  const value = percentile(relayed, 0.5);
  return [
    { name: 'events relayed', value, unit: '/s', bare: percentile(looped, 0.5), goal: '≥ 1.0 of bare' },
    { name: 'events relayed, against sending alone', value, unit: '/s', bare: percentile(sent, 0.5) },
  ];
};

/** Fills the outbox, then measures how fast `work` empties it. */
async function timed(world: World, work: () => Promise<() => Promise<void>>): Promise<number> {
  for (let id = 1; id <= PATIENTS; id += 1) await world.restate(id, EVENTS_EACH);
  const count = await world.waiting();
  const started = performance.now();
  const end = await work();
  const seconds = (performance.now() - started) / 1000;
  await end();
  return count / seconds;
}

type Send = (messages: { key: string; value: string }[]) => Promise<unknown>;

async function drain({ db }: World, shard: number, send: Send): Promise<void> {
  for (;;) {
    const { docs } = await eventsQuery(db, shard, PAGE).get();
    if (docs.length === 0) return;
    await send(
      docs.map((doc) => ({ key: String(doc.get('patient_id')), value: doc.get('envelope') as string })),
    );
    const batch = db.batch();
    for (const doc of docs) batch.delete(doc.ref);
    await batch.commit();
  }
}

async function plain(world: World, send: Send): Promise<number> {
  const [message] = await world.published();
  const page = Array.from({ length: PAGE }, (_, n) => ({ key: String(n), value: message?.value ?? '' }));
  const started = performance.now();
  const pages = (PATIENTS * EVENTS_EACH) / PAGE;
  for (let n = 0; n < pages; n += 1) await send(page);
  return (pages * PAGE * 1000) / (performance.now() - started);
}
