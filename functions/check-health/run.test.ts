import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Timestamp } from '@google-cloud/firestore';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { PatientId } from '../../shared/patient/schema.ts';
import { beginErasure, openErasures } from '../../shared/store/erasures.ts';
import { expiringCollections } from '../../shared/store/expiry.ts';
import { readNewestSnapshot } from '../../shared/store/health-snapshots.ts';
import { BY_ADMIN, aRegistration } from '../../test/support/builders.ts';
import { healthWorld } from '../../test/support/health-world.ts';
import { repeatNextCommit } from '../../test/support/lost-answer.ts';
import { documents, objectNames } from '../../test/support/import-world.ts';

it('imports files older than a minute and leaves younger ones to their event', async () => {
  const { run, drop, pass, bucket } = await healthWorld();
  await drop(aRegistration(), 'incoming/old.json');
  pass(10);
  expect((await run()).body.swept).toEqual({ imported: 0, failed: 0 });
  expect(await objectNames(bucket)).toEqual(['incoming/old.json']);
  pass(90);
  expect((await run()).body.swept).toEqual({ imported: 1, failed: 0 });
  expect(await objectNames(bucket)).toEqual([expect.stringMatching(/^processed\//)]);
});

it('ignores the placeholders of folders', async () => {
  const { run, health, drop, pass, bucket, db } = await healthWorld();
  await drop(Buffer.alloc(0), 'incoming/2026/');
  await drop(aRegistration(), 'incoming/2026/11/');
  pass(1000);
  expect((await run()).body.swept).toEqual({ imported: 0, failed: 0 });
  const { checks } = (await health()).body;
  expect(checks.import).toMatchObject({ oldest_incoming_seconds: 0, failures_24h: 0 });
  expect(await objectNames(bucket)).toEqual(['incoming/2026/', 'incoming/2026/11/']);
  expect(await documents(db, 'imports')).toEqual([]);
  expect(await documents(db, 'outbox')).toEqual([]);
});

it('sweeps within the promised import time when it is less than a minute', async () => {
  const { run, drop, pass } = await healthWorld({
    limits: {
      IMPORT_STUCK_AFTER_SECONDS: 5,
      IMPORT_STORAGE_QUOTA_BYTES: 1000,
      PATIENT_IMPORT_CHECK_INTERVAL_SECONDS: 1,
    },
  });
  await drop(aRegistration());
  pass(6);
  expect((await run()).body.swept).toEqual({ imported: 1, failed: 0 });
});

it('sweeps no more often than the interval, however often it is called', async () => {
  const { run, pass } = await healthWorld();
  expect((await run()).body.swept).not.toBeNull();
  pass(30);
  expect((await run()).body.swept).toBeNull();
  pass(27);
  expect((await run()).body.swept).not.toBeNull();
});

it('runs only once at a time, however often it is called', async () => {
  const { run, drop, pass, db } = await healthWorld();
  await Promise.all(Array.from({ length: 5 }, () => drop(aRegistration())));
  pass(120);
  const bodies = (await Promise.all([run(), run(), run()])).map(({ body }) => body);
  expect(bodies.filter((body) => 'skipped' in body)).toHaveLength(2);
  expect((await run()).body.status).toBeDefined();
  expect(await documents(db, 'patients')).toHaveLength(5);
  expect(await documents(db, 'imports')).toHaveLength(5);
});

it('runs, and hands on its turn, although the answers to both were lost', async () => {
  const { run } = await healthWorld();
  onTestFinished(() => void vi.restoreAllMocks());
  repeatNextCommit('/leases/scheduled-run');
  expect((await run()).body).not.toHaveProperty('skipped');
  expect((await run()).body).not.toHaveProperty('skipped');
});

it('completes an erasure that was interrupted', async () => {
  const { run, drop, pass, db, bucket, deps } = await healthWorld();
  await drop(aRegistration());
  pass(120);
  await run();
  const [patient] = await documents(db, 'patients');
  await beginErasure(db, Number(patient!.id) as PatientId, deps.clock(), BY_ADMIN);
  expect(await objectNames(bucket)).toHaveLength(1);

  expect((await run()).body.erasures_completed).toBe(1);
  expect(await openErasures(db, 10)).toEqual([]);
  expect(await objectNames(bucket)).toEqual([]);
  expect(await documents(db, 'imports')).toEqual([]);
});

it('deletes copies without a record once a day, but not those of a running import', async () => {
  const { run, drop, pass, bucket } = await healthWorld();
  await drop(aRegistration());
  pass(120);
  await run();
  const [owned] = await objectNames(bucket);
  const orphan = `processed/2026/11/02/${'0'.repeat(64)}.json`;
  await bucket.file(orphan).save('{}', { resumable: false });

  await run();
  expect(await objectNames(bucket)).toContain(orphan);
  pass(25 * 3600);
  await run();

  expect(await objectNames(bucket)).toEqual([owned]);
});

it('removes only expired documents', async () => {
  const { run, db, deps } = await healthWorld();
  const at = (seconds: number) => Timestamp.fromMillis(deps.clock().epochMilliseconds + seconds * 1000);
  const collections = expiringCollections(db);
  for (const collection of collections) {
    await collection.doc('expired').set({ expires_at: at(-1) });
    await collection.doc('living').set({ expires_at: at(3_600) });
    await collection.doc('endless').set({ expires_at: null });
  }
  expect((await run()).body.expired_removed).toBe(collections.length);
  for (const collection of collections) {
    const left = (await documents(db, collection.id)).map(({ id }) => id);
    expect(left).toEqual(expect.arrayContaining(['endless', 'living']));
    expect(left).not.toContain('expired');
  }
});

it('writes a snapshot with the verdict, the size of the bucket and the time of the sweep', async () => {
  const { run, drop, db, health, samples } = await healthWorld();
  const { bytes } = await drop(aRegistration());
  const { status } = (await run()).body;
  const snapshot = await readNewestSnapshot(db);
  expect(snapshot).toMatchObject({ status, bucket: { bytes }, checks: { storage: { bytes } } });
  expect(snapshot?.swept_at).not.toBeNull();
  expect((await health()).body.checks.storage).toMatchObject({ bytes, quota_bytes: 1_000_000 });
  expect(samples('storage_used_percent')).toEqual([Math.round((bytes / 1_000_000) * 1000) / 10]);
});

it('writes one sample of each metric per run', async () => {
  const { run, reportWorker, pass, drop, samples } = await healthWorld();
  for (let n = 0; n < 5; n += 1) await drop(n === 0 ? 'no registration' : aRegistration());
  pass(40);
  await run();
  pass(20);
  await reportWorker();
  pass(45);
  await run();
  // A worker that never reported is late since 1970. The other one reported 45 s ago, and the run itself takes time.
  const ages = samples('worker_status_age_seconds');
  expect(ages).toEqual([
    expect.toSatisfy((age) => age > 1e9),
    expect.toSatisfy((age) => age >= 45 && age < 1e6),
  ]);
  const [waiting, swept] = samples('import_oldest_incoming_seconds');
  expect(waiting).toBeGreaterThanOrEqual(40);
  expect(swept).toBe(0);
  // The first run had seen no files yet, and a rate needs at least five.
  expect(samples('import_failure_percent')).toEqual([20]);
  expect(samples('outbox_entries')).toEqual([0, 9]);
  expect(samples('outbox_oldest_seconds')).toHaveLength(2);
  expect(samples('consumer_lag')).toEqual([0]);
  expect(samples('dead_letters_waiting')).toEqual([0]);
});

it('continues when the bucket fails, and reports the run as failed', async () => {
  const refusing = createServer((_, response) => void response.writeHead(403).end());
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('STORAGE_EMULATOR_HOST', `http://127.0.0.1:${(refusing.address() as AddressInfo).port}`);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    refusing.close();
  });
  const { run, db, samples } = await healthWorld();
  const { status, body } = await run();
  expect([status, body.status]).toEqual([503, 'unhealthy']);
  expect(body.failed_steps.toSorted()).toEqual(['measure the bucket', 'sweep']);
  expect(body.expired_removed).toBe(0);
  expect(await readNewestSnapshot(db)).toMatchObject({ status: 'unhealthy', swept_at: null });
  expect(samples('outbox_entries')).toEqual([0]);
  expect(samples('import_oldest_incoming_seconds')).toEqual([]);
});

it('erases patients whose retention has ended, and reports in /health how many it erased and how many are left', async () => {
  const { run, health, drop, pass, db } = await healthWorld({ retention: { unpaid: 30, closed: undefined } });
  await drop(aRegistration());
  pass(120);
  expect((await run()).body).toMatchObject({ swept: { imported: 1 }, retention_erased: 0 });
  expect((await health()).body.checks.retention).toMatchObject({ erased_last_run: 0, due: 0, paused: null });
  pass(32 * 24 * 3600);
  expect((await run()).body).toMatchObject({ retention_erased: 1, failed_steps: [] });
  expect((await health()).body.checks.retention).toMatchObject({ erased_last_run: 1, due: 0 });
  expect(await documents(db, 'patients')).toEqual([]);
});

it('erases nobody when no rule is on', async () => {
  const { run, health, drop, pass, db } = await healthWorld();
  await drop(aRegistration());
  pass(120);
  await run();
  pass(10_000 * 24 * 3600);
  expect((await run()).body).toMatchObject({ retention_erased: null });
  expect((await health()).body.checks.retention).toMatchObject({ erased_last_run: null, due: null });
  expect(await documents(db, 'patients')).toHaveLength(1);
});
