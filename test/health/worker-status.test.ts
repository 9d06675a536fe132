import { expect, it } from 'vitest';
import { createPublisher } from '../../shared/kafka/publish.ts';
import type { Clock } from '../../shared/platform/clock.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { readWorkerStatus } from '../../shared/store/worker-status.ts';
import { eventually } from '../support/eventually.ts';
import { closing, kafkaCorner, testLog } from '../support/kafka.ts';
import { patientsWorld } from '../support/patients-world.ts';
import { judge } from '../../functions/check-health/verdict.ts';
import { reportStatus } from '../../functions/kafka-worker/status.ts';

const kafka = await kafkaCorner();
const { db } = patientsWorld();

/** One worker's report at a time of the test's choice. */
async function report(topic: string, clock: Clock) {
  const before = await readWorkerStatus(db);
  const reporting = reportStatus({
    client: kafka.client,
    db,
    clock,
    log: testLog(),
    readerGroup: `${kafka.prefix}readers`,
    consumers: [{ topic, group: `${topic}-group`, lastPollAt: () => undefined }],
    lastRelayAt: () => undefined,
  });
  await eventually(async () => {
    expect((await readWorkerStatus(db))?.written_at).not.toBe(before?.written_at);
  });
  await reporting.stop();
  return (await readWorkerStatus(db))!;
}

it('shows two messages that wait for a consumer that has never joined, whichever worker reports', async () => {
  const topic = await kafka.topic('waiting', 3);
  const message = { topic, key: 'k', value: '{}', partition: 1 };
  await closing(createPublisher(kafka.client)).publish([message, message]);

  const first = await report(topic, systemClock);
  const now = systemClock().add({ seconds: 125 });
  const second = await report(topic, () => now);

  const since = first.groups[0]!.partitions.find(({ partition }) => partition === 1)!.waiting_since;
  expect(since).not.toBeNull();
  expect(second.groups[0]).toMatchObject({
    lag: 2,
    partitions: expect.arrayContaining([{ partition: 1, committed: null, lag: 2, waiting_since: since }]),
  });
  const unknown = { fault: 'not asked' };
  const { kafka: check } = judge(
    {
      now,
      worker: { value: second },
      incoming: unknown,
      imports: unknown,
      outbox: unknown,
      lastRun: unknown,
      fence: { value: undefined },
      freeDisk: undefined,
    },
    { IMPORT_STUCK_AFTER_SECONDS: 900, IMPORT_STORAGE_QUOTA_BYTES: 1 },
  ).checks;
  expect(check).toMatchObject({ status: 'degraded', standing_partitions: 1 });
  expect(check.reasons).toEqual([
    expect.stringMatching(
      new RegExp(
        `^partition 1 of ${topic} has been stuck at offset none for 1\\d\\d s, waiting messages: 2$`,
      ),
    ),
  ]);
});

it('knows the lag of one topic while another is gone', async () => {
  const topic = await kafka.topic('there', 1);
  const status = await report(topic, systemClock);
  expect(status).toMatchObject({ kafka_reachable: true, groups: [{ lag: 0 }] });
  const gone = await report(`${kafka.prefix}gone`, systemClock);
  expect(gone).toMatchObject({ groups: [{ lag: null }] });
});
