import { expect, it, onTestFinished, vi } from 'vitest';
import { aRegistration } from '../../test/support/builders.ts';
import { eventually } from '../../test/support/eventually.ts';
import { healthWorld } from '../../test/support/health-world.ts';
import { documents } from '../../test/support/import-world.ts';
import { startTcpProxy, type TcpProxy } from '../../test/support/tcp-proxy.ts';

it('responds on both health paths, and is healthy once the worker and the schedule run', async () => {
  const { health, run, reportWorker } = await healthWorld();
  await eventually(async () => {
    const { status, body } = await health();
    expect([status, body.status]).toEqual([200, 'degraded']);
    expect(body.checks.kafka.reasons).toEqual(['no worker has reported its status yet']);
  });

  await reportWorker();
  await run();
  for (const path of ['/health', '/health/import']) {
    await eventually(async () => {
      const { status, text, body } = await health(path);
      expect([status, body.status], text).toEqual([200, 'healthy']);
    });
  }
});

it('reports the figures of every check', async () => {
  const { health, run, reportWorker } = await healthWorld({ dropFolder: '.' });
  await reportWorker();
  await run();
  const { checks } = (await health()).body;
  expect(checks).toMatchObject({
    import: {
      last_success: null,
      last_failure: null,
      successes_24h: 0,
      failures_24h: 0,
      failure_rate: 0,
      oldest_incoming_seconds: 0,
    },
    outbox: { entries: 0, oldest_seconds: 0 },
    kafka: { reachable: true, consumer_lag: 0, dead_letters: 0 },
    storage: { bytes: 0, quota_bytes: 1_000_000, free_disk_bytes: expect.any(Number) as number },
    firestore: { reachable: true },
  });
});

it('turns unhealthy when a file waits too long, and healthy when the sweep has imported it', async () => {
  const { health, run, drop, pass, reportWorker, db, logged } = await healthWorld();
  await drop(aRegistration({ nachname: 'Geheimnis' }), 'incoming/geheimnis-lena.json');
  pass(1000);
  await reportWorker();
  const stuck = await health('/health/import');
  expect([stuck.status, stuck.body.status]).toEqual([503, 'unhealthy']);
  const [reason] = stuck.body.checks.import.reasons;
  expect(reason).toMatch(
    /^a file has been waiting in incoming\/ for 1\d{3} s, longer than the promised 900 s$/,
  );

  const swept = await run();
  expect([swept.status, swept.body.swept]).toEqual([200, { imported: 1, failed: 0 }]);
  expect(await documents(db, 'patients')).toHaveLength(1);
  const after = await health('/health/import');
  expect(after.body.checks.import).toMatchObject({ status: 'healthy', successes_24h: 1, failure_rate: 0 });
  expect(after.body.checks.import.last_success).not.toBeNull();
  // Its events have waited for a worker since the import, which was long ago by the clock of this test.
  expect(after.body.checks.outbox).toMatchObject({ status: 'degraded', entries: 2 });
  expect([stuck.text, swept.text, after.text, ...logged].join('\n')).not.toMatch(/geheimnis|lena/i);
});

it('counts failed files and reports the rate in words', async () => {
  const { health, run, drop, pass } = await healthWorld();
  await drop('no registration');
  pass(120);
  await run();
  const { import: check } = (await health()).body.checks;
  expect(check).toMatchObject({ status: 'degraded', successes_24h: 0, failures_24h: 1, failure_rate: 1 });
  expect(check.reasons).toEqual(['1 of 1 files failed in the last 24 h']);
});

it('responds, with reasons, when every dependency hangs', async () => {
  const firestore = await stallable('FIRESTORE_EMULATOR_HOST', (address) => address);
  const storage = await stallable('STORAGE_EMULATOR_HOST', (address) => `http://${address}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  // Asked again while a busy machine takes longer than the limit of production.
  const { health } = await healthWorld({}, 1_000);
  await eventually(async () => expect((await health()).status).toBe(200));

  firestore.stall();
  storage.stall();
  const { status, body } = await health('/health/import');
  expect([status, body.status]).toEqual([503, 'unhealthy']);
  expect(body.checks.import.reasons).toContain('incoming/ could not be listed: no response within 1 s');
  expect(body.checks.firestore.reasons).toEqual(['Firestore does not respond: no response within 1 s']);
  expect(body.checks.import.oldest_incoming_seconds).toBeNull();

  firestore.mend();
  storage.mend();
  await eventually(async () => expect((await health()).status).toBe(200));
});

it.each([
  ['GET', '/', 404, null],
  ['GET', '/health/', 404, null],
  ['GET', '/constructor', 404, null],
  ['POST', '/health', 405, 'GET, HEAD'],
  ['GET', '/run', 405, 'POST'],
])('responds to %s %s with a problem document', async (method, path, expected, allow) => {
  const { request } = await healthWorld();
  const { status, headers, text } = await request(method, path);
  expect([status, headers.get('allow')]).toEqual([expected, allow]);
  expect(JSON.parse(text)).toMatchObject({ status: expected });
  expect(headers.get('content-type')).toMatch('application/problem+json');
});

/** Puts a proxy between the clients of this test and an emulator. */
async function stallable(variable: string, value: (address: string) => string): Promise<TcpProxy> {
  const given = process.env[variable] ?? '';
  const proxy = await startTcpProxy({ port: Number(given.split(':').at(-1)) });
  onTestFinished(() => proxy.close());
  vi.stubEnv(variable, value(`127.0.0.1:${proxy.port}`));
  return proxy;
}
