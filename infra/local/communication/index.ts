/**
 * The stand-in for the communication service, which sends the mails: it accepts them, keeps them, and announces
 * each e-mail on `communication-events`, like the real one. Its output shows ids only. Environment: PORT,
 * DATA_DIR and the KAFKA_* variables.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '@hono/node-server';
import { kafkaClient } from '../../../shared/kafka/kafkajs.ts';
import { createPublisher } from '../../../shared/kafka/publish.ts';
import { kafkaVariables } from '../../../shared/kafka/settings.ts';
import { namesIn } from '../../../shared/kafka/topics.ts';
import { readConfig } from '../../../shared/platform/config.ts';
import { createLog } from '../../../shared/platform/log.ts';
import { HOST } from '../ports.ts';
import { communicationApp } from './app.ts';
import { openMailbox, type StoredMail } from './mailbox.ts';

const config = await readConfig(kafkaVariables);
const log = createLog({ service: 'communication-stand-in', project: 'local' });
const publisher = createPublisher(kafkaClient(config, log));
const mailbox = openMailbox(process.env['DATA_DIR'] ?? '.local/data/communication');
let wake: () => void = () => undefined;

const server = serve(
  {
    hostname: HOST,
    port: Number(process.env['PORT']),
    fetch: communicationApp(mailbox, (mail) => {
      log.info('mail accepted', { component: mail.kind, count: mail.id });
      wake();
    }).fetch,
  },
  ({ port }) => log.info('listening', { port }),
);
process.once('SIGTERM', () => {
  server.close();
  process.exit(0);
});

/** Accepts mails while Kafka is down too: accepted mails wait here until they can be announced. */
for (;;) {
  const waiting = mailbox.unannounced().slice(0, 100);
  const woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  if (waiting.length === 0) {
    await woken;
    continue;
  }
  try {
    await publisher.publish(waiting.map(announcement));
    waiting.forEach((mail) => mailbox.noteAnnounced(mail));
  } catch {
    await sleep(1000);
  }
}

function announcement(mail: StoredMail) {
  const { betreff, status, patient_id } = mail.body;
  const value = JSON.stringify({
    eventId: mail.eventId,
    eventType: 'email.sent',
    version: '1.0',
    timestamp: mail.received_at,
    producer: 'communication-service',
    payload: {
      email_id: mail.id,
      email_data: { betreff, status },
      communication_type: 'email',
      patient_id,
      therapist_id: null,
    },
  });
  return {
    topic: namesIn(config).topics.communication,
    key: String(mail.id),
    value: Buffer.from(value),
    headers: {},
  };
}
