/** A Firestore project, a topic and a communication service for the relay, and functions to inspect each. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '@hono/node-server';
import type { Firestore } from '@google-cloud/firestore';
import { startRelay, type Relay, type RelayOptions } from '../../functions/kafka-worker/relay/relay.ts';
import { communicationApp } from '../../infra/local/communication/app.ts';
import { openMailbox, type MailKind } from '../../infra/local/communication/mailbox.ts';
import { freePort } from '../../infra/local/ports.ts';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { changePatient, restate } from '../../shared/patient/change.ts';
import { patientId } from '../../shared/patient/schema.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { inTransaction } from '../../shared/store/firestore.ts';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { raiseMarks } from '../../shared/registration/restore-fence.ts';
import { addMail } from '../../shared/store/outbox.ts';
import type { Mail } from '../../shared/patient/consequences.ts';
import { updatePatientWithin, type StoredPatient } from '../../shared/store/patients.ts';
import type { HistoryEntry } from './history.ts';
import { kafkaCorner, testLog } from './kafka.ts';
import { patientsWorld } from './patients-world.ts';

/** The lease of production, which outlasts the pauses of a busy machine; a stand-by asks for it more often. */
const LEASE = { ttlMs: 15_000, renewMs: 300 };

export async function relayWorld() {
  const patients = patientsWorld();
  const kafka = await kafkaCorner();
  const topic = await kafka.topic('patient-events');
  const communication = await startCommunication();
  const bucket = connectBucket({
    GOOGLE_CLOUD_PROJECT: patients.project,
    GCS_IMPORT_BUCKET: `${patients.project}-import`,
    STORAGE_EMULATOR_HOST: process.env['STORAGE_EMULATOR_HOST'],
  });
  const running: (() => Promise<void>)[] = [];
  const logged: string[] = [];
  return {
    ...patients,
    kafka,
    topic,
    communication,
    bucket,
    logged,
    start(options: Partial<RelayOptions> = {}): Relay {
      const publisher = createPublisher(kafka.client, { attempts: 1 });
      const relay = startRelay({
        db: patients.db,
        publisher,
        topic,
        communicationUrl: communication.url,
        raiseMarks: () => raiseMarks({ db: patients.db, bucket, clock: systemClock }),
        clock: systemClock,
        log: testLog(logged),
        lease: LEASE,
        ...options,
      });
      running.push(async () => {
        await relay.stop();
        await publisher.close();
      });
      return relay;
    },
    change: (id: number, hausarzt: string) => changeDoctor(patients.db, id, hausarzt),
    restate: (id: number, events: number) => restateOften(patients.db, id, events),
    mail: (mail: Mail) => putMail(patients.db, mail),
    waiting: async (): Promise<number> => (await patients.db.collection('outbox').count().get()).data().count,
    published: (): Promise<HistoryEntry[]> => kafka.read(topic).then((read) => read.map(entryOf)),
    async close(): Promise<void> {
      for (const end of running) await end();
      await communication.close();
      await patients.db.terminate();
    },
  };
}

export function changeDoctor(db: Firestore, id: number, hausarzt: string): Promise<void> {
  return changeFields(db, id, { hausarzt });
}

export async function changeFields(db: Firestore, id: number, fields: object): Promise<void> {
  const now = systemClock();
  const change = ({ patient }: StoredPatient) => changePatient(patient, fields, now);
  await inTransaction(db, (transaction) =>
    updatePatientWithin(db, transaction, patientId.parse(id), now, change),
  );
}

/** Writes several events of one patient in one transaction. */
async function restateOften(db: Firestore, id: number, events: number): Promise<void> {
  const change = ({ patient }: StoredPatient) => ({
    patient,
    events: Array.from({ length: events }, () => restate(patient).events).flat(),
    mails: [],
  });
  await inTransaction(db, (transaction) =>
    updatePatientWithin(db, transaction, patientId.parse(id), systemClock(), change),
  );
}

export function aMail(key: string, fields: Record<string, string | number | boolean> = {}): Mail {
  const body = { subject: 'Import', message: 'x', sender_name: 'Test', ...fields };
  return { path: '/api/system-messages', body, idempotencyKey: key };
}

export async function putMail(db: Firestore, mail: Mail): Promise<void> {
  const batch = db.batch();
  addMail(db, batch, mail, null);
  await batch.commit();
}

export function entryOf({ key, value }: { key: Buffer | null; value: Buffer | null }): HistoryEntry {
  return { key: String(key), value: String(value) };
}

/** The local stack's communication service, which also records the key and trace of each request. */
export async function startCommunication() {
  const dataDir = mkdtempSync(join(tmpdir(), 'communication-'));
  const mailbox = openMailbox(dataDir);
  const app = communicationApp(mailbox, () => undefined);
  const requests: { key: string | null; traceparent: string | null }[] = [];
  const port = await freePort();
  const server = serve({
    hostname: '127.0.0.1',
    port,
    fetch: (request: Request) => {
      if (request.method === 'POST' && !request.url.endsWith('/faults')) {
        const { headers } = request;
        requests.push({ key: headers.get('idempotency-key'), traceparent: headers.get('traceparent') });
      }
      return app.fetch(request);
    },
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    requests,
    keys: (kind: MailKind = 'system-message') => mailbox.latest(kind, 10_000).map(({ key }) => key),
    fail: (status: number, count: number) =>
      fetch(`${url}/faults`, { method: 'POST', body: JSON.stringify({ status, count }) }),
    async close(): Promise<void> {
      await new Promise((resolve) => server.close(resolve));
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
