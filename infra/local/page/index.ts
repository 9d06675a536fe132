/**
 * The local page: shows what happens on a running stack, and lets a visitor use it and break it. It runs in the stack's
 * process, because only that process can stop and start parts, and listens on loopback only.
 */
import { once } from 'node:events';
import { serve, type ServerType } from '@hono/node-server';
import type { Server } from 'node:http';
import { kafkaClient } from '../../../shared/kafka/kafkajs.ts';
import { kafkaVariables } from '../../../shared/kafka/settings.ts';
import { namesIn } from '../../../shared/kafka/topics.ts';
import { readConfig } from '../../../shared/platform/config.ts';
import { createLog } from '../../../shared/platform/log.ts';
import { connectBucket } from '../../../shared/registration/bucket.ts';
import { connectFirestore } from '../../../shared/store/firestore.ts';
import { isGiven, type EngineName } from '../engine-parts.ts';
import { environmentOf, madeFor, type EngineAddresses } from '../environment.ts';
import { logFileOf, type Folders } from '../parts.ts';
import { HOST } from '../ports.ts';
import type { Settings } from '../settings.ts';
import type { Supervised } from '../supervisor.ts';
import { createActions } from './actions.ts';
import { watchStack, type Live } from './live.ts';
import type { PartState } from './messages.ts';
import { createPage } from './routes.ts';

export interface PageOptions {
  readonly settings: Settings;
  readonly engines: EngineAddresses;
  readonly folders: Folders;
  readonly useGiven: boolean;
  readonly running: ReadonlyMap<string, Supervised>;
  readonly tokens: Readonly<Record<string, string>>;
  readonly addresses: () => Readonly<Record<string, string>>;
  readonly onPartChange: () => void;
}

const ENGINES = ['firestore', 'storage', 'kafka'] as const satisfies EngineName[];

/** @returns a function that ends it */
export async function startPage(options: PageOptions): Promise<() => Promise<void>> {
  const { settings, engines, folders, running } = options;
  const { ports } = settings;
  const at = (port: number) => `http://${HOST}:${port}`;
  const given = new Set<string>(ENGINES.filter((name) => isGiven(name, options.useGiven)));
  const ended = new AbortController();
  const config = await readConfig(kafkaVariables, {
    ...process.env,
    KAFKA_BOOTSTRAP_SERVERS: engines.kafka,
    KAFKA_LOG_LEVEL: 'nothing',
  });
  const client = kafkaClient(config, createLog({ service: 'page', project: 'local', level: 'error' }));
  const names = namesIn(config);
  const { db, bucket } = madeFor(engines, () => ({
    db: connectFirestore({ GOOGLE_CLOUD_PROJECT: settings.project }),
    bucket: connectBucket({
      GOOGLE_CLOUD_PROJECT: settings.project,
      GCS_IMPORT_BUCKET: settings.bucket,
      STORAGE_EMULATOR_HOST: engines.storage,
    }),
  }));
  const actions = createActions({
    bucket,
    client,
    names,
    importUrl: `${at(ports.import)}/`,
    environment: environmentOf(settings, engines),
  });
  let live: Live | undefined;
  const app = createPage({
    port: ports.page,
    live: () =>
      (live ??= watchStack(
        {
          db,
          client,
          names,
          bucket: settings.bucket,
          health: at(ports.health),
          data: folders.data,
          logFile: (part) => logFileOf(folders, part),
          parts: () => statesOf(running, given),
        },
        ended.signal,
      )),
    actions,
    part: (name) => (given.has(name) ? undefined : running.get(name)),
    onPartChange: options.onPartChange,
    addresses: options.addresses,
    tokens: options.tokens,
    api: at(ports.api),
  });
  const server: ServerType = serve({ hostname: HOST, port: ports.page, fetch: app.fetch });
  await once(server, 'listening');
  return async () => {
    ended.abort();
    // Event streams do not end by themselves.
    (server as Server).closeAllConnections();
    await new Promise((resolve) => void server.close(resolve));
    await actions.close();
    await db.terminate();
  };
}

function statesOf(running: ReadonlyMap<string, Supervised>, given: ReadonlySet<string>): PartState[] {
  return [...running.values()].map(({ name, state, pid }) => ({
    name,
    state: given.has(name) ? 'given' : state,
    pid: pid ?? null,
  }));
}
