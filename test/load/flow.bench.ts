/**
 * The whole way on a running stack: object uploaded → event on the topic, one at a time; then memory of each
 * process before and after many imports.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { aRegistration } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { memoryMiB, percentile, rate, type Bench, type Row } from './rows.ts';

const SINGLE = 100;
const MANY = 10_000;
const STEP = 500;

export const bench: Bench = async (progress) => {
  const stack = await startTestStack();
  try {
    progress(`${SINGLE} files one after the other`);
    const latencies = await measureLatencies(stack);
    const idle = await memories(stack);
    for (let done = 0; done < MANY; done += STEP) {
      const files = Array.from({ length: STEP });
      await rate(
        files.map(() => aRegistration({ email: null })),
        16,
        (registration) => upload(stack, registration),
      );
      await eventually(async () => {
        const [left] = await stack.bucket.getFiles({ prefix: 'incoming/' });
        if (left.length > 0) throw new Error('still importing');
      }, 120_000);
      progress(`${done + STEP} of ${MANY} imports`);
    }
    const after = await memories(stack);
    return [
      {
        name: 'uploaded → on the topic, p50',
        value: percentile(latencies, 0.5),
        unit: 'ms',
        goal: '< 150 ms',
      },
      { name: 'uploaded → on the topic, p99', value: percentile(latencies, 0.99), unit: 'ms', goal: '< 1 s' },
      ...[...after].map(([name, value]): Row => ({
        name: `memory of ${name} after ${MANY} imports, against idle`,
        value,
        unit: 'MiB',
        bare: idle.get(name) ?? Number.NaN,
        goal: 'flat',
      })),
    ];
  } finally {
    await stack.stop();
  }
};

function upload({ bucket }: TestStack, registration: object): Promise<void> {
  return bucket
    .file(`incoming/${randomUUID()}.json`)
    .save(JSON.stringify(registration), { resumable: false });
}

async function measureLatencies(stack: TestStack): Promise<number[]> {
  const waiting = new Map<string, (at: number) => void>();
  const kafka = new Kafka({ brokers: [stack.describe().kafka], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `bench-${randomUUID()}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topic: 'patient-events', fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      const at = performance.now();
      const { payload } = JSON.parse(String(message.value)) as {
        payload: { patient_data?: { zahlungsreferenz: string | null } };
      };
      waiting.get(payload.patient_data?.zahlungsreferenz ?? '')?.(at);
    },
  });
  const latencies: number[] = [];
  // The first ones connect, compile and lease ids.
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
  await consumer.disconnect();
  return latencies;
}

async function memories(stack: TestStack): Promise<Map<string, number>> {
  const pids = Object.entries(stack.describe().pids).filter(([name]) =>
    ['import', 'worker', 'api', 'health'].includes(name),
  );
  return new Map(await Promise.all(pids.map(async ([name, pid]) => [name, await memoryMiB(pid)] as const)));
}
