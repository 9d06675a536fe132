/**
 * One trace from end to end (W3C trace context): a request, a file event or a consumed event, what it causes in the
 * outbox, the headers on Kafka, and the log lines of every process on the way.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { aRegistration } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { readAll } from '../support/kafka.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack?.stop());

function aTrace() {
  const traceId = randomBytes(16).toString('hex');
  return { traceId, traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01` };
}

/** Types of the events on Kafka that belong to the trace. */
async function published(traceId: string): Promise<string[]> {
  const messages = await readAll(stack.kafka, 'patient-events');
  return messages
    .filter(({ headers }) => String(headers['traceparent']).startsWith(`00-${traceId}-`))
    .map(({ headers }) => String(headers['ce_type']));
}

/** What was logged within the trace: the service and the message. */
async function logged(traceId: string): Promise<string[]> {
  const lines = (await stack.logs()).split('\n').filter((line) => line.includes(`/traces/${traceId}"`));
  return lines
    .map((line) => JSON.parse(line) as { serviceContext: { service: string }; message: string })
    .map(({ serviceContext, message }) => `${serviceContext.service}: ${message}`);
}

async function createPatient(traceparent: string): Promise<number> {
  const { api, tokens } = stack.describe();
  const answer = await fetch(`${api}/api/patients`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.staff}`, 'content-type': 'application/json', traceparent },
    body: JSON.stringify({ anrede: 'Frau', geschlecht: 'weiblich', vorname: 'Lena', nachname: 'Beispiel' }),
  });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { id: number }).id;
}

it('runs from a request to Kafka', async () => {
  const { traceId, traceparent } = aTrace();
  await createPatient(traceparent);
  await eventually(async () => expect(await published(traceId)).toEqual(['patient.created']));
  await eventually(async () => {
    expect(await logged(traceId)).toEqual(
      expect.arrayContaining(['patients-api: Request answered', 'kafka-worker: Event published']),
    );
  });
});

it('runs from a file event to Kafka and to the mail', async () => {
  const { traceId, traceparent } = aTrace();
  await stack.part('eventarc').stop();
  const file = stack.bucket.file(`incoming/${randomUUID()}.json`);
  await file.save(JSON.stringify(aRegistration()), { resumable: false });
  const answer = await stack.deliver(file.metadata, { traceparent });
  expect(answer.status).toBe(204);
  await eventually(async () => expect(await published(traceId)).toEqual(['patient.created']));
  await eventually(async () => {
    expect(await logged(traceId)).toEqual(
      expect.arrayContaining([
        'import-registration: File imported',
        'kafka-worker: Event published',
        'kafka-worker: Mail sent',
      ]),
    );
  });
  await stack.part('eventarc').start();
});

it('runs from a consumed event to the event that it causes', async () => {
  const patient_id = await createPatient(aTrace().traceparent);
  const { traceId, traceparent } = aTrace();
  const publisher = createPublisher(stack.kafka);
  const event = {
    eventId: randomUUID(),
    eventType: 'email.sent',
    version: '1.0',
    timestamp: '2026-11-01T12:00:00Z',
    producer: 'communication-service',
    payload: { email_id: 1, email_data: {}, communication_type: 'email', patient_id, therapist_id: null },
  };
  const value = JSON.stringify(event);
  await publisher.publish([{ topic: 'communication-events', key: '1', value, headers: { traceparent } }]);
  await publisher.close();
  await eventually(async () => expect(await published(traceId)).toEqual(['patient.updated']));
  await eventually(async () => {
    expect(await logged(traceId)).toEqual(
      expect.arrayContaining(['kafka-worker: Event consumed', 'kafka-worker: Event published']),
    );
  });
});

it('reaches the log of a message that is buried', async () => {
  const { traceId, traceparent } = aTrace();
  const publisher = createPublisher(stack.kafka);
  await publisher.publish([
    { topic: 'communication-events', key: '2', value: 'poison', headers: { traceparent } },
  ]);
  await publisher.close();
  await eventually(async () => {
    expect(await logged(traceId)).toContain('kafka-worker: A message became a dead letter');
  });
});
