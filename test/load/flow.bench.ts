/**
 * The whole flow on a running stack: time from upload to the event on the topic, one at a time; then memory of each process
 * before and after many imports.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { followTopic } from '../../infra/local/page/topic.ts';
import { aRegistration } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { memoryMiB, percentile, rate, type Bench, type Row } from './rows.ts';

const SINGLE = 100;
const MANY = 10_000;
/** After this many imports each process has been under load, and its heap has reached its size. */
const EARLY = 2_000;
const STEP = 1_000;

export const bench: Bench = async (progress) => {
  const stack = await startTestStack();
  try {
    progress(`${SINGLE} files one after the other`);
    const latencies = await measureLatencies(stack);
    const idle = await memories(stack);
    progress(`idle: ${inWords(idle)}`);
    let early = idle;
    let late = idle;
    for (let done = STEP; done <= MANY; done += STEP) {
      const files = Array.from({ length: STEP }, () => aRegistration({ email: null }));
      await rate(files, 16, (registration) => upload(stack, registration));
      await untilImported(stack);
      late = await memories(stack);
      if (done === EARLY) early = late;
      progress(`${done} of ${MANY} imports: ${inWords(late)}`);
    }
    return [
      {
        name: 'uploaded → on the topic, p50',
        value: percentile(latencies, 0.5),
        unit: 'ms',
        goal: '< 150 ms',
      },
      { name: 'uploaded → on the topic, p99', value: percentile(latencies, 0.99), unit: 'ms', goal: '< 1 s' },
      ...[...late].map(([name, value]): Row => ({
        name: `memory of ${name} after ${MANY} imports, against ${EARLY}`,
        value,
        unit: 'MiB',
        bare: early.get(name) ?? Number.NaN,
        goal: 'flat',
      })),
    ];
  } finally {
    await stack.stop();
  }
};

/** Polls rarely: the emulator scans all objects for each answer. */
async function untilImported({ bucket }: TestStack): Promise<void> {
  for (let look = 0; look < 300; look += 1) {
    const [left] = await bucket.getFiles({ prefix: 'incoming/', maxResults: 1 });
    if (left.length === 0) return;
    await sleep(1_000);
  }
  throw new Error('still importing after five minutes');
}

function inWords(memories: ReadonlyMap<string, number>): string {
  return [...memories].map(([name, value]) => `${name} ${value.toFixed(0)} MiB`).join(', ');
}

function upload({ bucket }: TestStack, registration: object): Promise<void> {
  return bucket
    .file(`incoming/${randomUUID()}.json`)
    .save(JSON.stringify(registration), { resumable: false });
}

async function measureLatencies(stack: TestStack): Promise<number[]> {
  const waiting = new Map<string, (at: number) => void>();
  const reading = new AbortController();
  const follower = followTopic({
    client: stack.kafka,
    topic: 'patient-events',
    group: 'bench',
    signal: reading.signal,
    onMessage({ value }) {
      const { payload } = JSON.parse(String(value)) as {
        payload: { patient_data?: { zahlungsreferenz: string | null } };
      };
      waiting.get(payload.patient_data?.zahlungsreferenz ?? '')?.(performance.now());
    },
    onBeginning: () => undefined,
  });
  await eventually(async () => {
    if (!(await follower.isAtEnd())) throw new Error('the reader is not at the end');
  }, 30_000);
  const latencies: number[] = [];
  // The first imports connect, compile and lease ids.
  for (let n = -5; n < SINGLE; n += 1) {
    const registration = aRegistration({ email: null });
    const arrived = new Promise<number>((resolve) => {
      waiting.set(registration.registration_token.slice(0, 8), resolve);
    });
    await upload(stack, registration);
    const uploadedAt = performance.now();
    const latency = (await arrived) - uploadedAt;
    if (n >= 0) latencies.push(latency);
    await sleep(50);
  }
  reading.abort();
  return latencies;
}

async function memories(stack: TestStack): Promise<Map<string, number>> {
  const pids = Object.entries(stack.describe().pids).filter(([name]) =>
    ['import', 'worker', 'api', 'health'].includes(name),
  );
  return new Map(await Promise.all(pids.map(async ([name, pid]) => [name, await memoryMiB(pid)] as const)));
}
