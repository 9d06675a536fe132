/** The whole flow on a running stack: time from upload to the event on the topic, one at a time. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { followTopic } from '../../infra/local/page/topic.ts';
import { aRegistration } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { percentile, type Bench } from './rows.ts';

const SINGLE = 100;

export const bench: Bench = async (progress) => {
  const stack = await startTestStack();
  try {
    progress(`${SINGLE} files one after the other`);
    const latencies = await measureLatencies(stack);
    return [
      {
        name: 'uploaded → on the topic, p50',
        value: percentile(latencies, 0.5),
        unit: 'ms',
        goal: '< 150 ms',
      },
      { name: 'uploaded → on the topic, p99', value: percentile(latencies, 0.99), unit: 'ms', goal: '< 1 s' },
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
