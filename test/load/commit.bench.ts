/**
 * How long an event takes from its commit, by Firestore's own time, until a reader has it from the topic, while nothing else
 * runs. The relay is a worker's own process; changes are made one at a time, in the API's way.
 */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { followTopic } from '../../infra/local/page/topic.ts';
import { changePatient } from '../../shared/patient/change.ts';
import { patientId } from '../../shared/patient/schema.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { patientDoc, updatePatient } from '../../shared/store/patients.ts';
import { BY_ADMIN } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { workerCorner, type WorkerCorner } from '../support/worker.ts';
import { percentile, type Bench, type Row } from './rows.ts';

const PATIENTS = 200;
/** The first ones of each kind compile, connect and fill caches; they are not counted. */
const WARM_UP = 20;
/** Between two changes the relay finishes its round and is idle again. */
const PAUSE_MS = 100;
/** By then the worker's listener and consumers are started, and its checks of the first seconds are over. */
const SETTLED_AFTER_MS = 5_000;

export const bench: Bench = async (progress) => {
  const corner = await workerCorner();
  const { world, kafka } = corner;
  const reading = new AbortController();
  try {
    for (let id = 1; id <= PATIENTS; id += 1) await world.register(id);
    const sent = await corner.startWorker();
    await untilRelayed(corner);
    await sent.stop();
    // The next worker has sent nothing for these patients yet, as after each deployment.
    await corner.startWorker();
    let arrived = (_at: number) => {};
    const follower = followTopic({
      client: kafka.client,
      topic: corner.patientEvents,
      group: 'bench',
      signal: reading.signal,
      onMessage: () => arrived(performance.timeOrigin + performance.now()),
      onBeginning: () => undefined,
    });
    await eventually(async () => {
      if (!(await follower.isAtEnd())) throw new Error('the reader is not at the end');
    }, 30_000);
    await sleep(SETTLED_AFTER_MS);

    const rows = async (
      name: string,
      first: number,
      commit: (id: number) => Promise<unknown>,
    ): Promise<Row[]> => {
      progress(`${PATIENTS} times: ${name}`);
      const times: number[] = [];
      for (let id = first; id < first + PATIENTS; id += 1) {
        const arrival = new Promise<number>((resolve) => (arrived = resolve));
        await commit(id);
        const arrivedAt = await arrival;
        const { updateTime } = await patientDoc(world.db, patientId.parse(id)).get();
        const committedAt = (updateTime?.seconds ?? 0) * 1e3 + (updateTime?.nanoseconds ?? 0) / 1e6;
        if (id >= first + WARM_UP) times.push(arrivedAt - committedAt);
        await sleep(PAUSE_MS);
      }
      return [
        { name: `${name}, p50`, value: percentile(times, 0.5), unit: 'ms', goal: '≤ 12 ms' },
        { name: `${name}, p99`, value: percentile(times, 0.99), unit: 'ms' },
      ];
    };
    const change = (id: number, fields: object) => {
      const now = systemClock();
      return updatePatient(world.db, patientId.parse(id), now, BY_ADMIN.by, ({ patient }) =>
        changePatient(patient, fields, now),
      );
    };
    return [
      ...(await rows('a patient registered → on the topic', PATIENTS + 1, (id) => world.register(id))),
      ...(await rows("a patient's first change since the worker's start → on the topic", 1, (id) =>
        change(id, { hausarzt: 'Dr. Probe' }),
      )),
      ...(await rows("a patient's next change → on the topic", 1, (id) =>
        change(id, { hausarzt: 'Dr. Muster' }),
      )),
    ];
  } finally {
    reading.abort();
    await corner.stopWorkers();
    await rm(corner.logFile, { force: true });
    await world.db.terminate();
  }
};

async function untilRelayed({ world }: WorkerCorner): Promise<void> {
  await eventually(async () => {
    const { count } = (await world.db.collection('outbox').count().get()).data();
    if (count > 0) throw new Error(`${count} events wait`);
  }, 60_000);
}
