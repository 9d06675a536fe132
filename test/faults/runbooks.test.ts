/**
 * Tests of the runbooks: causes each fault on a running stack, reads the value that its alert watches from the log line
 * that production turns into a metric, and repairs the fault as the runbook says.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fires, type Alert } from '../../infra/checks/alert-condition.ts';
import { parseSources, readSources } from '../../infra/checks/hcl.ts';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { eventually } from '../support/eventually.ts';
import { opsOn } from '../support/ops.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

const STUCK_AFTER_SECONDS = 3;
const QUOTA_BYTES = 1024 * 1024;

let stack: TestStack;
beforeAll(async () => {
  process.env['IMPORT_STUCK_AFTER_SECONDS'] = String(STUCK_AFTER_SECONDS);
  process.env['PATIENT_IMPORT_CHECK_INTERVAL_SECONDS'] = '1';
  process.env['IMPORT_STORAGE_QUOTA_BYTES'] = String(QUOTA_BYTES);
  stack = await startTestStack();
  // These tests call the scheduled run themselves.
  await stack.part('scheduler').stop();
});
afterAll(() => stack?.stop());
/** Repairs the stack after a failed test, so that the next one starts with a whole stack. */
afterEach(async () => {
  for (const part of ['firestore', 'storage', 'kafka', 'import', 'worker'] as const) {
    await stack.part(part).start();
  }
});

const { locals } = await parseSources(await readSources());

/** The alert's definition, with the threshold that this stack is configured with. */
function alert(name: string, changes: Partial<Alert> = {}): Alert {
  return { ...(locals['alerts'] as unknown as Record<string, Alert>)[name]!, ...changes };
}

/**
 * Whether the alert fires when the observed value continues for an hour, one sample a minute.
 * @param of the whole, of which a ratio's value is a part
 */
function firesIfItLasts(name: string, value: number, changes: Partial<Alert> = {}, of = value): boolean {
  const points = Array.from({ length: 60 }, (_, minute) => ({ at: minute * 60 + 30, value, of }));
  return fires(alert(name, changes), points, 3600);
}

interface Health {
  readonly status: string;
  readonly checks: Record<string, { status: string; reasons: string[] } & Record<string, unknown>>;
}

async function health(): Promise<{ code: number; body: Health }> {
  const answer = await fetch(`${stack.describe().health}/health/import`);
  return { code: answer.status, body: (await answer.json()) as Health };
}

/**
 * Runs check-health as Cloud Scheduler does, and takes the newest sample of a metric from its log. A run leaves out a figure that
 * it could not get in time, and its lines may arrive after its answer: then it runs again, as Cloud Scheduler would.
 */
async function sampleAfterRun(metric: string): Promise<{ code: number; value: number }> {
  const before = (await samples(metric)).length;
  return eventually(async () => {
    const { code } = await run();
    const value = (await samples(metric)).slice(before).at(-1);
    expect(value, metric).toBeDefined();
    return { code, value: value! };
  });
}

async function samples(metric: string): Promise<number[]> {
  const lines = (await readFile(stack.logFile('health'), 'utf8')).split('\n');
  return lines
    .filter((line) => line.includes(`"${metric}":`))
    .map((line) => (JSON.parse(line) as { metrics: Record<string, number> }).metrics[metric]!);
}

const ops = (...args: string[]) => opsOn(stack)(...args);

async function registration(token: string): Promise<string> {
  const text = await readFile(new URL('../fixtures/registration-valid.json', import.meta.url), 'utf8');
  return JSON.stringify({ ...(JSON.parse(text) as object), registration_token: token });
}

async function drop(name: string, content: string): Promise<void> {
  await stack.bucket.file(`incoming/${name}`).save(content, { resumable: false });
}

async function names(prefix: string): Promise<string[]> {
  const [files] = await stack.bucket.getFiles({ prefix });
  return files.map(({ name }) => name);
}

async function lag(): Promise<number> {
  const partitions = JSON.parse(await ops('--json', 'lag')) as { lag: number }[];
  return partitions.reduce((sum, { lag: waiting }) => sum + waiting, 0);
}

async function settled(): Promise<void> {
  await eventually(async () => {
    const { body } = await health();
    expect(body.checks['outbox']).toMatchObject({ entries: 0 });
    expect(body.checks['kafka']).toMatchObject({ reachable: true, consumer_lag: 0 });
  });
}

describe('the runbook', () => {
  it('oldest-incoming-file: a file without its import makes health unhealthy, and the scheduled run imports it', async () => {
    await stack.part('import').stop();
    await drop('waiting.json', await registration('0000000a'));
    const red = await eventually(async () => {
      const answer = await health();
      expect(answer.code).toBe(503);
      expect(answer.body.checks['import']!.reasons.join()).toContain('waiting in incoming/');
      return answer;
    });
    const seconds = red.body.checks['import']!['oldest_incoming_seconds'] as number;
    expect(firesIfItLasts('oldest-incoming-file', seconds, { threshold: STUCK_AFTER_SECONDS })).toBe(true);

    const { value } = await sampleAfterRun('import_oldest_incoming_seconds');
    expect(value).toBe(0);
    expect(await names('incoming/')).toEqual([]);
    expect(firesIfItLasts('oldest-incoming-file', value, { threshold: STUCK_AFTER_SECONDS })).toBe(false);
    await stack.part('import').start();
    await eventually(async () => expect((await health()).code).toBe(200));
  });

  it('outbox-age: without Kafka the outbox grows old, and drains by itself when Kafka is back', async () => {
    await settled();
    await stack.part('kafka').stop();
    await drop('unsent.json', await registration('0000000b'));
    const { value, code } = await eventually(async () => {
      const sample = await sampleAfterRun('outbox_oldest_seconds');
      expect(sample.value).toBeGreaterThan(30);
      return sample;
    });
    expect(code).toBe(200);
    await eventually(async () => {
      const { body } = await health();
      expect(body.status).toBe('degraded');
      expect(body.checks['outbox']!.reasons.join()).toContain('waiting to be sent');
    });
    // The fault lasts half a minute here; the alert waits ten times as long.
    expect(firesIfItLasts('outbox-age', value * 10)).toBe(true);
    expect(await ops('outbox', 'status')).toMatch(/events\s+\d/);

    await stack.part('kafka').start();
    await settled();
    expect(firesIfItLasts('outbox-age', (await sampleAfterRun('outbox_oldest_seconds')).value)).toBe(false);
    expect(await ops('verify')).toBeTruthy();
  });

  it('worker-not-polling: a stopped worker shows in the age of its report', async () => {
    await stack.part('worker').stop();
    const first = await sampleAfterRun('worker_status_age_seconds');
    await delay(3000);
    const second = await sampleAfterRun('worker_status_age_seconds');
    expect(second.value).toBeGreaterThan(first.value);
    expect(firesIfItLasts('worker-not-polling', 61)).toBe(true);
    await stack.part('worker').start();
    await eventually(async () => {
      const { value } = await sampleAfterRun('worker_status_age_seconds');
      expect(value).toBeLessThan(12);
      expect(firesIfItLasts('worker-not-polling', value)).toBe(false);
    });
    await settled();
  });

  it('dead-letters: poison is counted, listed with its reason, and dropped', async () => {
    await publish([{ key: 'mail-1', value: 'not json' }]);
    const { value } = await eventually(async () => {
      const sample = await sampleAfterRun('dead_letters_waiting');
      expect(sample.value).toBe(1);
      return sample;
    });
    expect(firesIfItLasts('dead-letters', value)).toBe(true);
    const [letter] = JSON.parse(await ops('--json', 'dlq', 'list')) as [{ place: string }];
    expect(await ops('dlq', 'show', letter.place)).toContain('event.not_json');
    await ops('dlq', 'drop', letter.place);
    await eventually(async () => {
      const { value } = await sampleAfterRun('dead_letters_waiting');
      expect(firesIfItLasts('dead-letters', value)).toBe(false);
    });
  });

  it('consumer-lag: messages that arrived while no worker ran are counted, and then consumed', async () => {
    await stack.part('worker').stop();
    const email = (n: number) => ({
      key: `mail-${n}`,
      value: JSON.stringify({
        eventId: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
        eventType: 'email.sent',
        version: '1.0',
        timestamp: '2026-11-01T12:00:00Z',
        producer: 'communication-service',
        payload: {
          email_id: n,
          email_data: {},
          communication_type: 'email',
          // Contacts of unknown patients: those of one patient would wait for each other.
          patient_id: 1_000_000 + n,
          therapist_id: null,
        },
      }),
    });
    await publish(Array.from({ length: 1200 }, (_, n) => email(n)));
    const waiting = await lag();
    expect(waiting).toBeGreaterThanOrEqual(1200);
    expect(firesIfItLasts('consumer-lag', waiting)).toBe(true);
    await stack.part('worker').start();
    // Asks the broker, because the stopped worker's last report says "no lag".
    await eventually(async () => expect(await lag()).toBe(0));
    await settled();
    const { value } = await sampleAfterRun('consumer_lag');
    expect(firesIfItLasts('consumer-lag', value)).toBe(false);
  });

  it('api-5xx-ratio: without Firestore the API answers 5xx in time, and recovers by itself', async () => {
    expect(await askApi('GET')).toBe(200);
    await stack.part('firestore').stop();
    const answers = await Promise.all((['GET', 'POST', 'PATCH', 'DELETE'] as const).map(askApi));
    expect(answers).toEqual([503, 503, 503, 503]);
    expect(firesIfItLasts('api-5xx-ratio', 4, {}, 5)).toBe(true);
    expect(await stack.logs()).toMatch(/"error_code":"(store.unavailable|request.timed_out)"/);

    await stack.part('firestore').start();
    await eventually(async () => expect(await askApi('GET')).toBe(200));
    expect(firesIfItLasts('api-5xx-ratio', 0, {}, 5)).toBe(false);
    await settled();
  });

  it('scheduler-job-failing: a run that cannot sweep fails, and the next one catches up', async () => {
    await stack.part('import').stop();
    await drop('unswept.json', await registration('0000000c'));
    await delay(STUCK_AFTER_SECONDS * 1000);
    await stack.part('storage').stop();
    const failed = await run();
    expect(failed).toMatchObject({ code: 503, body: { failed_steps: expect.arrayContaining(['sweep']) } });
    expect(firesIfItLasts('scheduler-job-failing', 1)).toBe(true);

    await stack.part('storage').start();
    await eventually(async () => expect(await run()).toMatchObject({ code: 200 }));
    expect(await names('incoming/')).toEqual([]);
    expect(firesIfItLasts('scheduler-job-failing', 0)).toBe(false);
    await stack.part('import').start();
    await settled();
  });

  it('health-silent: without its scheduler no values arrive, and with it they arrive again', async () => {
    const seen = async () => (await samples('worker_status_age_seconds')).length;
    const before = await seen();
    await delay(3_000);
    expect(await seen()).toBe(before);
    expect(fires(alert('health-silent'), [], 3600)).toBe(true);
    await eventually(async () => expect((await health()).code).toBe(200));

    await stack.part('scheduler').start();
    await eventually(async () => expect(await seen()).toBeGreaterThan(before));
    expect(firesIfItLasts('health-silent', 0)).toBe(false);
    await stack.part('scheduler').stop();
  });

  it('storage-filling: a large object shows in the share of the quota, until it is deleted', async () => {
    const large = stack.bucket.file('processed/2026/01/01/large.json');
    await large.save(Buffer.alloc(QUOTA_BYTES * 0.9), { resumable: false });
    await eventually(async () => {
      const { value } = await sampleAfterRun('storage_used_percent');
      expect(firesIfItLasts('storage-filling', value)).toBe(true);
    });
    await eventually(async () =>
      expect((await health()).body.checks['storage']!.reasons.join()).toContain('%'),
    );

    await large.delete();
    await eventually(async () => {
      const { value } = await sampleAfterRun('storage_used_percent');
      expect(firesIfItLasts('storage-filling', value)).toBe(false);
    });
  });

  it('import-failure-rate: failed files are counted, listed with their reason, and retried after the repair', async () => {
    const wrong = (await registration('0000000d')).replace('"50667"', '"50"');
    for (let n = 0; n < 8; n += 1) await drop(`wrong-${n}.json`, wrong);
    const { value } = await eventually(async () => {
      const sample = await sampleAfterRun('import_failure_percent');
      expect(sample.value).toBeGreaterThan(50);
      expect(await names('incoming/')).toEqual([]);
      return sample;
    });
    expect(firesIfItLasts('import-failure-rate', value)).toBe(true);
    expect(await health()).toMatchObject({ code: 503, body: { status: 'unhealthy' } });
    const failed = JSON.parse(await ops('--json', 'import', 'list', '--outcome', 'failed')) as {
      record_id: string;
      reason: string;
    }[];
    expect(failed.map(({ reason }) => reason)).toEqual(Array(8).fill('import.invalid'));
    const document = (await names('failed/')).find((name) => name.endsWith('.error.json'));
    expect(String((await stack.bucket.file(document!).download())[0])).toContain('/patient_data/plz');

    // The website is repaired: good files outnumber the bad ones again.
    for (let n = 0; n < 32; n += 1) {
      await drop(`right-${n}.json`, await registration((0x10 + n).toString(16).padStart(8, '0')));
    }
    await eventually(async () => {
      const { value } = await sampleAfterRun('import_failure_percent');
      expect(firesIfItLasts('import-failure-rate', value)).toBe(false);
    });
    // A retried file goes through the import like any other; this one is still invalid.
    await ops('import', 'retry', failed[0]!.record_id);
    await eventually(async () => {
      const again = JSON.parse(await ops('--json', 'import', 'list', '--outcome', 'failed')) as object[];
      expect(again).toHaveLength(9);
    });
  });
});

/** Gives up after the same time as Cloud Run. */
async function askApi(method: 'GET' | 'POST' | 'PATCH' | 'DELETE'): Promise<number> {
  const { api, tokens } = stack.describe();
  const person = { anrede: 'Frau', geschlecht: 'weiblich', vorname: 'Eva', nachname: 'Beispiel' };
  const path = method === 'PATCH' || method === 'DELETE' ? '/api/patients/1' : '/api/patients';
  const isWrite = method === 'POST' || method === 'PATCH';
  const answer = await fetch(api + path, {
    method,
    headers: { authorization: `Bearer ${tokens.admin}`, 'content-type': 'application/json' },
    ...(isWrite ? { body: JSON.stringify(person) } : {}),
    signal: AbortSignal.timeout(30_000),
  });
  return answer.status;
}

async function run(): Promise<{ code: number; body: unknown }> {
  const answer = await fetch(`${stack.describe().health}/run`, { method: 'POST' });
  return { code: answer.status, body: await answer.json() };
}

async function publish(messages: { key: string; value: string }[]): Promise<void> {
  const publisher = createPublisher(stack.kafka);
  await publisher.publish(messages.map((message) => ({ topic: 'communication-events', ...message })));
  await publisher.close();
}
