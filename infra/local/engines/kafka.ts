/**
 * A Kafka broker for this machine: the one that KAFKA_BOOTSTRAP_SERVERS names, Redpanda where Docker
 * answers, or Apache Kafka in KRaft mode where Java and Maven are. Topics are others' business.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, HOST, isListening } from '../ports.ts';
import { launch, run, type Running } from '../process.ts';
import { untilReady } from '../ready.ts';
import { type Engine, type EngineOptions, given } from './engine.ts';

const POM = join(import.meta.dirname, '../pom.xml');
const REDPANDA = 'redpandadata/redpanda:v25.2.1';
const HEAP = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.net.preferIPv4Stack=true'];

/** Starts the broker, or continues on what `dataDir` holds. Ready when it accepts connections. */
export async function startKafka(options: EngineOptions): Promise<Engine> {
  const address = process.env['KAFKA_BOOTSTRAP_SERVERS'];
  if (address !== undefined && options.useGiven !== false) return given(address);
  const started = await ((await hasRedpanda()) ? startRedpanda(options) : startApacheKafka(options));
  await untilReady(started, 'Kafka', () => isListening(options.port));
  return { address: `${HOST}:${options.port}`, ...started };
}

/** True where Docker answers and has the image, or can fetch it. */
async function hasRedpanda(): Promise<boolean> {
  const succeeds = (...args: string[]) =>
    run('docker', args).then(
      () => true,
      () => false,
    );
  if (!(await succeeds('info'))) return false;
  if (await succeeds('image', 'inspect', REDPANDA)) return true;
  console.error('kafka      downloading Redpanda');
  return succeeds('pull', '--quiet', REDPANDA);
}

async function startRedpanda({ port, dataDir, logFile }: EngineOptions): Promise<Running> {
  const name = `patient-service-kafka-${port}`;
  const docker = (...args: string[]) => run('docker', args).catch(() => '');
  // Docker keeps the data in a volume, since Redpanda's user could not write to our folder; a new folder means a new volume.
  if (!existsSync(dataDir)) await docker('volume', 'rm', '--force', name);
  await mkdir(dataDir, { recursive: true });
  const container = launch({
    command: 'docker',
    args: [
      `run --rm --name ${name} -p ${HOST}:${port}:19092 -v ${name}:/var/lib/redpanda/data ${REDPANDA}`,
      'redpanda start --mode dev-container --smp 1 --memory 512M',
      `--kafka-addr external://0.0.0.0:19092 --advertise-kafka-addr external://${HOST}:${port}`,
      '--set redpanda.auto_create_topics_enabled=false',
    ].flatMap((words) => words.split(' ')),
    logFile,
  });
  const ended = async (how: 'stop' | 'kill') => {
    await docker(how, name);
    await container.exited;
  };
  return { ...container, stop: () => ended('stop'), kill: () => ended('kill') };
}

/** What a test may want otherwise than the local stack: properties that win, and arguments of the formatting. */
export interface BrokerVariant {
  readonly properties: readonly string[];
  readonly format: readonly string[];
  /** Arguments of the virtual machine. */
  readonly jvm?: readonly string[];
}

/** Apache Kafka, where a broker of a certain kind is needed: listening some time after this resolves. */
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
    // The id is as good as any: it is the same for all nodes of a test's cluster, as it must be.
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

/** The class path as Maven resolves it from pom.xml, kept until the pom changes or a jar is gone. */
export async function kafkaClassPath(): Promise<string> {
  const version = createHash('sha256')
    .update(await readFile(POM))
    .digest('hex')
    .slice(0, 12);
  const file = join(import.meta.dirname, `../../../.local/downloads/kafka-${version}.classpath`);
  const known = await readFile(file, 'utf8').catch(() => '');
  if (known !== '' && known.split(':').every((jar) => existsSync(jar))) return known;
  await requireJavaAndMaven();
  await mkdir(join(file, '..'), { recursive: true });
  console.error('kafka      asking Maven for Apache Kafka (about 100 MB the first time)');
  await run('mvn', ['-B', '-f', POM, 'dependency:build-classpath', `-Dmdep.outputFile=${file}`], {
    show: process.env['CI'] === undefined,
  }).catch((error: unknown) => {
    throw new Error(
      'Apache Kafka could not be downloaded: connect this machine to a Maven repository once, start Docker for Redpanda, or set KAFKA_BOOTSTRAP_SERVERS.',
      { cause: error },
    );
  });
  return readFile(file, 'utf8');
}

async function requireJavaAndMaven(): Promise<void> {
  const missing: string[] = [];
  await run('java', ['-version']).catch(() => missing.push('Java 17 or newer'));
  await run('mvn', ['-version']).catch(() => missing.push('Maven'));
  if (missing.length === 0) return;
  throw new Error(
    `Kafka needs Docker, or Java and Maven; ${missing.join(' and ')} missing: install it (Debian: apt-get install default-jre-headless maven), start Docker, or set KAFKA_BOOTSTRAP_SERVERS.`,
  );
}
