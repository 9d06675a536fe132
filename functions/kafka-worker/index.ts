/**
 * The Kafka worker: one process that runs the relay of the outbox and the consumers. Neither waits for the other.
 */
import { kafkaClient } from '../../shared/kafka/kafkajs.ts';
import { createPublisher } from '../../shared/kafka/publish.ts';
import { namesIn } from '../../shared/kafka/topics.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { endOnUncaughtErrors } from '../../shared/platform/crash.ts';
import { createLog } from '../../shared/platform/log.ts';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { raiseMarks } from '../../shared/registration/restore-fence.ts';
import { connectFirestore } from '../../shared/store/firestore.ts';
import { variableNames } from './config.ts';
import { startConsumers } from './consumers.ts';
import { isAlive, isTurning, serveProbes, type Probe } from './probes.ts';
import { startRelay } from './relay/relay.ts';
import { reportStatus } from './status.ts';

const CHECK_EVERY_MS = 30_000;

const config = await readConfig(variableNames);
const log = createLog({
  service: 'kafka-worker',
  project: config.GOOGLE_CLOUD_PROJECT,
  level: config.LOG_LEVEL,
});
endOnUncaughtErrors(log);
const db = connectFirestore(config);
const bucket = connectBucket(config);
const client = kafkaClient(config, log);
const names = namesIn(config);
const relayPublisher = createPublisher(client, { attempts: 1 });
const deadLetterPublisher = createPublisher(client);
// Connect now, so that the first event does not wait for the connection.
void relayPublisher.connect();

const relay = startRelay({
  db,
  publisher: relayPublisher,
  topic: names.topics.patients,
  communicationUrl: config.COMMUNICATION_SERVICE_URL,
  raiseMarks: () => raiseMarks({ db, bucket, clock: systemClock }),
  clock: systemClock,
  log,
});
const consumers = startConsumers({
  client,
  names,
  publisher: deadLetterPublisher,
  db,
  clock: systemClock,
  log,
});
const status = reportStatus({
  client,
  db,
  clock: systemClock,
  log,
  readerGroup: names.groups.operators,
  consumers: consumers.map((consumer) => ({
    topic: consumer.topic,
    group: consumer.group,
    lastPollAt: () => consumer.state().lastPollAt,
  })),
  lastRelayAt: () => relay.state().lastRelayAt,
});
const liveness: Probe = () => ({
  relay: isTurning(relay.state(), Date.now()),
  ...byTopic((consumer) => isAlive(consumer.state(), Date.now())),
});
const readiness: Probe = () => byTopic((consumer) => consumer.state().connected);
const probes = await serveProbes(config.PORT, { '/livez': liveness, '/readyz': readiness });

// A stuck worker exits, because the local stack does not query the probes. The process is then restarted.
setInterval(() => {
  const stuck = Object.entries(liveness()).filter(([, isAlive]) => !isAlive);
  if (stuck.length === 0) return;
  log.error('The worker is stuck and ends itself', { component: stuck.map(([name]) => name).join(' ') });
  process.exit(1);
}, CHECK_EVERY_MS).unref();
log.info('The worker has started', { pid: process.pid });

function byTopic(judge: (consumer: (typeof consumers)[number]) => boolean): Record<string, boolean> {
  return Object.fromEntries(consumers.map((consumer) => [consumer.topic, judge(consumer)]));
}

/** Cloud Run sends SIGKILL 10 s after SIGTERM. */
const STOP_WITHIN_MS = 9_500;

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log.info('The worker stops', { signal });
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
    void stop();
  });
}

async function stop(): Promise<void> {
  probes.close();
  await Promise.all([relay.stop(), status.stop(), ...consumers.map((consumer) => consumer.stop())]);
  await Promise.all([relayPublisher.close(), deadLetterPublisher.close()]);
  await db.terminate();
  process.exit(0);
}
