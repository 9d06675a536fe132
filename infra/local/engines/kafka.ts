/**
 * A Kafka broker for this machine: the one that KAFKA_BOOTSTRAP_SERVERS names, Redpanda where Docker
 * answers, or Apache Kafka in KRaft mode where Java and Maven are installed. topics.ts creates the topics.
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort, HOST } from '../ports.ts';
import { launch, run, type Running } from '../process.ts';
import { untilReady } from '../ready.ts';
import { fetchImage, runContainer, volumeFor } from './containers.ts';
import { type Engine, type EngineOptions, given } from './engine.ts';
import { kafkaClassPath, whyNoApacheKafka } from './kafka-jars.ts';
import { findDocker } from './machine.ts';
import { missingTools } from './missing.ts';

const HEAP = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.net.preferIPv4Stack=true'];

/** Starts the broker on the data in `dataDir`, if any. Resolves when it accepts connections. */
export async function startKafka(options: EngineOptions): Promise<Engine> {
  const address = process.env['KAFKA_BOOTSTRAP_SERVERS'];
  if (address !== undefined && options.useGiven !== false) return given(address);
  const started = await ((await hasRedpanda()) ? startRedpanda(options) : startApacheKafka(options));
  await untilReady(started, 'Kafka', () => answers(options.port));
  return { address: `${HOST}:${options.port}`, ...started };
}

/**
 * True where Docker answers and has the image, or can fetch it.
 * @throws Error where it cannot, and Apache Kafka cannot take its place
 */
async function hasRedpanda(): Promise<boolean> {
  if ((await findDocker()) !== 'ok') return false;
  try {
    await fetchImage('kafka');
    return true;
  } catch (error) {
    if ((await whyNoApacheKafka()) === undefined) return false;
    throw await missingTools({ engine: 'the image of Kafka could not be fetched', error });
  }
}

const PORT_IN_CONTAINER = 19_092;

async function startRedpanda(options: EngineOptions): Promise<Running> {
  const volume = await volumeFor('kafka', options.dataDir);
  return runContainer(
    {
      name: 'kafka',
      port: PORT_IN_CONTAINER,
      options: [`--volume=${volume}:/var/lib/redpanda/data`],
      command: [
        'redpanda start --mode dev-container --smp 1 --memory 512M',
        `--kafka-addr external://0.0.0.0:${PORT_IN_CONTAINER}`,
        `--advertise-kafka-addr external://${HOST}:${options.port}`,
        // The stack creates its topics itself, with six partitions.
        '--set redpanda.auto_create_topics_enabled=false',
      ].flatMap((words) => words.split(' ')),
    },
    options,
  );
}

/** ApiVersions, version 0: a request that every broker answers. Docker accepts connections before the broker listens. */
const API_VERSIONS = Buffer.from('0000000a00120000000000000000', 'hex');

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: HOST, timeout: 2_000 });
    const answer = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => socket.write(API_VERSIONS));
    socket.once('data', () => answer(true));
    for (const event of ['error', 'timeout', 'close']) socket.once(event, () => answer(false));
  });
}

/** Settings for tests that differ from the local stack: properties that take precedence, and formatting arguments. */
export interface BrokerVariant {
  readonly properties: readonly string[];
  readonly format: readonly string[];
  /** Arguments of the virtual machine. */
  readonly jvm?: readonly string[];
}

/** Starts Apache Kafka for tests that need special settings. It begins to listen some time after this resolves. */
export async function startApacheKafka(
  { port, dataDir, logFile }: EngineOptions,
  variant: BrokerVariant = { properties: [], format: [] },
): Promise<Running> {
  const classPath = await kafkaClassPath();
  const jvm = [...HEAP, ...(variant.jvm ?? []), '-cp', classPath];
  const properties = join(dataDir, 'server.properties');
  const logDir = join(dataDir, 'log');
  await mkdir(dataDir, { recursive: true });
  const lines = [...brokerProperties(port, await freePort(), logDir), ...variant.properties];
  await writeFile(properties, `${lines.join('\n')}\n`);
  if (!existsSync(join(logDir, 'meta.properties'))) {
    // An arbitrary id, the same for all nodes of a test's cluster.
    const format = [
      'format',
      '-t',
      '5L6g3nShT-eMCtK--X86sw',
      '-c',
      properties,
      '--ignore-formatted',
      ...variant.format,
    ];
    await run('java', [...jvm, 'kafka.tools.StorageTool', ...format]);
  }
  return launch({ command: 'java', args: [...jvm, 'kafka.Kafka', properties], logFile });
}

function brokerProperties(port: number, controllerPort: number, logDir: string): string[] {
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@${HOST}:${controllerPort}`,
    'controller.listener.names=CONTROLLER',
    `listeners=PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://${HOST}:${port}`,
    'inter.broker.listener.name=PLAINTEXT',
    `log.dirs=${logDir}`,
    'auto.create.topics.enable=false',
    // After a kill -9 the controller waits for the old session to expire before it lets the broker in again.
    'broker.session.timeout.ms=2000',
    'broker.heartbeat.interval.ms=500',
    'group.initial.rebalance.delay.ms=0',
    'offsets.topic.num.partitions=3',
    'offsets.topic.replication.factor=1',
    'transaction.state.log.num.partitions=3',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.min.isr=1',
    'log.cleaner.dedupe.buffer.size=8388608',
  ];
}
