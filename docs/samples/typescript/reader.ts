/**
 * Keeps a table of patients from the topic patient-events. An offset is committed once the table is written, so a crash
 * at any moment repeats messages and loses none; the table ignores the repeats.
 *
 *   npm install
 *   KAFKA_BROKERS=127.0.0.1:19092 npm start
 */
import { Kafka, logLevel, type EachBatchPayload, type KafkaMessage } from 'kafkajs';
import { openPatientTable, type Message } from './patient-table.ts';

const {
  KAFKA_BROKERS = '127.0.0.1:19092',
  KAFKA_TOPIC = 'patient-events',
  KAFKA_GROUP = 'sample-patient-reader',
  DATABASE = 'patients.db',
} = process.env;

/** The number of messages that share one transaction and one commit of their offset. */
const AT_ONCE = 500;

const table = openPatientTable(DATABASE);
const kafka = new Kafka({
  clientId: KAFKA_GROUP,
  brokers: KAFKA_BROKERS.split(','),
  // A production cluster wants `ssl: true` and `sasl` here.
  logLevel: logLevel.WARN,
});
// A reader that was killed holds its partitions for the session's time.
const consumer = kafka.consumer({ groupId: KAFKA_GROUP, sessionTimeout: 10_000 });

async function writeBatch(payload: EachBatchPayload): Promise<void> {
  const { batch } = payload;
  for (let from = 0; from < batch.messages.length; from += AT_ONCE) {
    // The rest comes again, to this process or to the one that has the partition now.
    if (!payload.isRunning() || payload.isStale()) return;
    const part = batch.messages.slice(from, from + AT_ONCE);
    const outcomes = table.write(part.map((message) => plain(batch.partition, message)));
    console.log(JSON.stringify({ partition: batch.partition, offset: part.at(-1)?.offset, ...outcomes }));
    // The table is written, so the offset may be committed.
    payload.resolveOffset(part.at(-1)?.offset ?? batch.lastOffset());
    await payload.commitOffsetsIfNecessary(payload.uncommittedOffsets());
    await payload.heartbeat();
  }
}

function plain(partition: number, { offset, value, headers }: KafkaMessage): Message {
  // A header may be missing, come twice or have no value.
  const trace = [headers?.['traceparent']].flat()[0]?.toString();
  return { partition, offset, value, trace };
}

let isStopping = false;
/** Ends what is being written, leaves the group at once, and closes the table. */
async function stop(exitCode: number): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  process.exitCode = exitCode;
  await consumer.disconnect();
  table.close();
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(0));
consumer.on(consumer.events.CRASH, ({ payload }) => {
  // kafkajs joins again by itself after most errors. After any other error the process would continue without
  // reading: end it, and let its supervisor start it again.
  if (!payload.restart) void stop(1);
});

await consumer.connect();
// From the beginning where the group has no offset yet, or where its offset is older than the topic.
await consumer.subscribe({ topic: KAFKA_TOPIC, fromBeginning: true });
await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: writeBatch });
