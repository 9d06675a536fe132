/** Three Apache Kafka brokers on this machine, configured as in production: three replicas, at least two in sync. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { startApacheKafka } from '../../infra/local/engines/kafka.ts';
import { freePort, HOST, isListening } from '../../infra/local/ports.ts';
import type { Running } from '../../infra/local/process.ts';
import { eventually } from './eventually.ts';

const LOCAL = join(import.meta.dirname, '../../.local');
const NODES = [1, 2, 3] as const;

export type NodeId = (typeof NODES)[number];

export interface KafkaCluster {
  /** The addresses of all three, for KAFKA_BOOTSTRAP_SERVERS. */
  readonly addresses: string;
  /** kill -9. */
  kill(node: NodeId): Promise<void>;
  /** Starts the node again on its stored data. */
  restart(node: NodeId): Promise<void>;
  /** Freezes the process. Its connections stay open, but it does not respond. */
  freeze(node: NodeId): void;
  /** Resumes the process, which still assumes that it leads its partitions. */
  thaw(node: NodeId): void;
  /** The number of partitions of the topic that each node leads, as reported by the nodes that respond. */
  leaders(topic: string): Promise<Map<NodeId, number>>;
  /** Resolves when every replica of the topics is in sync. */
  untilWhole(topics: readonly string[], withinMs?: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startKafkaCluster(): Promise<KafkaCluster> {
  await mkdir(LOCAL, { recursive: true });
  const dir = await mkdtemp(join(LOCAL, 'cluster-'));
  const ports = new Map<NodeId, { client: number; controller: number }>();
  for (const node of NODES) ports.set(node, { client: await freePort(), controller: await freePort() });
  const voters = NODES.map((node) => `${node}@${HOST}:${ports.get(node)!.controller}`).join(',');
  const addresses = NODES.map((node) => `${HOST}:${ports.get(node)!.client}`);
  const running = new Map<NodeId, Running>();

  async function start(node: NodeId): Promise<void> {
    const { client, controller } = ports.get(node)!;
    const broker = await startApacheKafka(
      { port: client, dataDir: join(dir, `node-${node}`), logFile: join(dir, `node-${node}.log`) },
      { properties: properties(node, client, controller, voters), format: [], jvm: ['-Xmx256m'] },
    );
    running.set(node, broker);
  }

  /** Uses a new client for each call, because the previous one may hang on a frozen broker. */
  async function ask<T>(question: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = new Kafka({
      brokers: addresses,
      logLevel: logLevel.NOTHING,
      connectionTimeout: 1_000,
      requestTimeout: 3_000,
      retry: { retries: 3 },
    }).admin();
    try {
      await admin.connect();
      return await question(admin);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  async function partitionsOf(topics: readonly string[]) {
    const { topics: found } = await ask((admin) => admin.fetchTopicMetadata({ topics: [...topics] }));
    return found.flatMap(({ partitions }) => partitions);
  }

  const signal = (node: NodeId, name: 'SIGSTOP' | 'SIGCONT') => process.kill(running.get(node)!.pid!, name);
  await Promise.all(NODES.map(start));
  await eventually(async () => {
    for (const node of NODES) if (!(await isListening(ports.get(node)!.client))) throw new Error('not yet');
    const { brokers } = await ask((admin) => admin.describeCluster());
    if (brokers.length < NODES.length) throw new Error(`${brokers.length} brokers are there`);
  }, 120_000);

  return {
    addresses: addresses.join(','),
    kill: (node) => running.get(node)!.kill(),
    restart: start,
    freeze: (node) => void signal(node, 'SIGSTOP'),
    thaw: (node) => void signal(node, 'SIGCONT'),
    async leaders(topic) {
      const partitions = await partitionsOf([topic]);
      return new Map(NODES.map((node) => [node, partitions.filter(({ leader }) => leader === node).length]));
    },
    untilWhole: (topics, withinMs = 240_000) =>
      eventually(async () => {
        const behind = (await partitionsOf(topics)).filter(({ isr, leader }) => isr.length < 3 || leader < 1);
        if (behind.length > 0) throw new Error(`${behind.length} partitions lack a replica`);
      }, withinMs),
    async stop() {
      for (const broker of running.values()) await broker.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function properties(node: NodeId, port: number, controllerPort: number, voters: string): string[] {
  return [
    `node.id=${node}`,
    `controller.quorum.voters=${voters}`,
    `listeners=PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://${HOST}:${port}`,
    'default.replication.factor=3',
    'min.insync.replicas=2',
    'unclean.leader.election.enable=false',
    'offsets.topic.replication.factor=3',
    'transaction.state.log.replication.factor=3',
    'transaction.state.log.min.isr=2',
    'share.coordinator.state.topic.replication.factor=3',
    'share.coordinator.state.topic.min.isr=2',
    // Long enough for three JVMs on two cores, short enough for a test.
    'broker.session.timeout.ms=5000',
    'replica.lag.time.max.ms=5000',
    // Makes a restarted broker leader again, so that a test can kill it as a leader again.
    'leader.imbalance.check.interval.seconds=5',
    'leader.imbalance.per.broker.percentage=0',
  ];
}
