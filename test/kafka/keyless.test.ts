/** Messages without a key keep their order in the partition, with real consumers and effects on one partition. */
import { onTestFinished, expect, it } from 'vitest';
import { startConsumers } from '../../functions/kafka-worker/consumers.ts';
import { createPublisher } from '../../shared/kafka/publish.ts';
import type { OutgoingMessage } from '../../shared/kafka/ports.ts';
import { namesIn } from '../../shared/kafka/topics.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { eventually } from '../support/eventually.ts';
import { closing, createTopics, kafkaCorner, testLog } from '../support/kafka.ts';
import { aForeignEvent, patientsWorld } from '../support/patients-world.ts';

const kafka = await kafkaCorner();
const world = patientsWorld();
const names = namesIn(kafka.config);
const { communication, therapists } = names.topics;
await createTopics(
  kafka.client,
  [communication, therapists].flatMap((topic) => [topic, `${topic}.dlq`]),
  1,
);
const PATIENTS = 25;

function consume(lines: string[] = []): void {
  const consumers = startConsumers({
    client: kafka.client,
    names,
    publisher: closing(createPublisher(kafka.client)),
    db: world.db,
    clock: systemClock,
    log: testLog(lines),
  });
  onTestFinished(async () => {
    await Promise.all(consumers.map((consumer) => consumer.stop()));
  });
}

const send = (messages: readonly OutgoingMessage[]) =>
  closing(createPublisher(kafka.client)).publish(messages);

const event = (type: string, therapist: number, key: string | null): OutgoingMessage => ({
  topic: therapists,
  key,
  partition: 0,
  value: JSON.stringify(aForeignEvent(type, { therapist_id: therapist, therapist_data: {} })),
});

async function expectRead(topic: string, group: string): Promise<void> {
  const admin = closing(await kafka.client.admin());
  await eventually(async () => {
    const [ranges, committed] = await Promise.all([admin.ranges(topic), admin.committed(group, topic)]);
    expect(committed.get(0)?.offset).toBe(ranges.get(0)?.high);
    expect(committed.get(0)?.offset).toBeGreaterThan(0n);
  });
}

it.each([
  ['neither has a key', 1, null, null],
  ['only the first has one', 2, '2', null],
  ['only the second has one', 3, null, '3'],
] as const)(
  'a therapist who is blocked and then unblocked is excluded by no patient when %s',
  async (_, n, first, second) => {
    const therapist = 100 * n;
    const ids = Array.from({ length: PATIENTS }, (_, index) => 1_000 * n + index);
    for (const id of ids) await world.register(id, { zugewiesener_therapeut: therapist });
    consume();
    await send([
      event('therapist.blocked', therapist, first),
      event('therapist.unblocked', therapist, second),
    ]);
    await expectRead(therapists, names.groups.therapists);

    const patients = await Promise.all(ids.map((id) => world.patient(id)));
    // Both events were applied: the assignment is gone, and so is the exclusion that the first one added.
    expect(patients.map(({ zugewiesener_therapeut }) => zugewiesener_therapeut)).toEqual(ids.map(() => null));
    expect(patients.flatMap(({ ausgeschlossene_therapeuten }) => ausgeschlossene_therapeuten)).toEqual([]);
  },
);

it('tombstones, with a key and without, are counted and read to the end, and are no dead letters', async () => {
  const lines: string[] = [];
  consume(lines);
  await send([
    { topic: communication, key: 'mail-1', value: null },
    { topic: communication, key: null, value: null },
  ]);
  await expectRead(communication, names.groups.communication);

  const counted = lines
    .map(
      (line) => JSON.parse(line) as { metrics?: { events_consumed?: number }; labels?: { outcome?: string } },
    )
    .filter(({ metrics, labels }) => metrics?.events_consumed === 1 && labels?.outcome === 'tombstone');
  expect(counted).toHaveLength(2);
  expect(await kafka.read(`${communication}.dlq`)).toEqual([]);
});
