import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApacheKafka } from '../../infra/local/engines/kafka.ts';
import { freePort, isListening } from '../../infra/local/ports.ts';
import type { Running } from '../../infra/local/process.ts';
import { eventually } from '../../test/support/eventually.ts';
import { closing, createTopics, readAll, testLog } from '../../test/support/kafka.ts';
import { withoutApacheKafka } from '../../test/support/kafka-tool.ts';
import { readConfig } from '../platform/config.ts';
import { kafkaClient } from './kafkajs.ts';
import { createPublisher } from './publish.ts';
import { kafkaVariables } from './settings.ts';

const run = promisify(execFile);
const LOCAL = join(import.meta.dirname, '../../.local');

const noBroker = await withoutApacheKafka('a broker with SASL over TLS');
let dir: string;
let broker: Running;
let secure: Record<string, string>;

/** A broker that lets nobody in but by SASL over TLS, with a certificate of its own authority. */
beforeAll(async () => {
  await mkdir(LOCAL, { recursive: true });
  dir = await mkdtemp(join(LOCAL, 'secure-kafka-'));
  const [port, controllerPort] = [await freePort(), await freePort()];
  const pem = join(dir, 'broker.pem');
  const keyStore = join(dir, 'broker.p12');
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    `${pem}.key`,
    '-out',
    pem,
    ...subject,
  ]);
  await run('openssl', [
    'pkcs12',
    '-export',
    '-in',
    pem,
    '-inkey',
    `${pem}.key`,
    '-out',
    keyStore,
    '-passout',
    'pass:changeit',
  ]);
  const login = 'org.apache.kafka.common.security';
  broker = await startApacheKafka(
    { port, dataDir: join(dir, 'data'), logFile: join(dir, 'broker.log') },
    {
      format: ['--add-scram', 'SCRAM-SHA-512=[name=worker,password=s3cret]'],
      properties: [
        `listeners=SASL_SSL://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
        `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
        `advertised.listeners=SASL_SSL://127.0.0.1:${port}`,
        'listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT',
        'inter.broker.listener.name=SASL_SSL',
        'sasl.mechanism.inter.broker.protocol=PLAIN',
        'sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN',
        `listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=${login}.scram.ScramLoginModule required;`,
        `listener.name.sasl_ssl.plain.sasl.jaas.config=${login}.plain.PlainLoginModule required username="broker" password="b" user_broker="b" user_plain="p1ain";`,
        `ssl.keystore.location=${keyStore}`,
        'ssl.keystore.type=PKCS12',
        'ssl.keystore.password=changeit',
        `ssl.truststore.location=${pem}`,
        'ssl.truststore.type=PEM',
      ],
    },
  );
  await eventually(async () => expect(await isListening(port)).toBe(true));
  secure = {
    KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${port}`,
    KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
    KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
    KAFKA_SASL_USERNAME: 'worker',
    KAFKA_SASL_PASSWORD: 's3cret',
    KAFKA_SSL_CA: await readFile(pem, 'utf8'),
  };
});

afterAll(async () => {
  await broker.stop();
  await rm(dir, { recursive: true, force: true });
});

async function client(overrides: Record<string, string> = {}, lines: string[] = []) {
  const config = await readConfig(kafkaVariables, { ...secure, ...overrides });
  return kafkaClient(config, testLog(lines));
}

describe.skipIf(noBroker)('a broker with SASL over TLS', () => {
  it('takes messages and gives them back to a SCRAM-SHA-512 user', async () => {
    const kafka = await client();
    await createTopics(kafka, ['secure'], 1);
    await closing(createPublisher(kafka)).publish([{ topic: 'secure', key: '1', value: 'over TLS' }]);
    expect((await readAll(kafka, 'secure')).map(({ value }) => String(value))).toEqual(['over TLS']);
  });

  it('lets a PLAIN user in', async () => {
    const plain = {
      KAFKA_SASL_MECHANISM: 'PLAIN',
      KAFKA_SASL_USERNAME: 'plain',
      KAFKA_SASL_PASSWORD: 'p1ain',
    };
    const admin = closing(await (await client(plain)).admin());
    await expect(admin.ranges('secure')).resolves.toBeDefined();
  });

  it('refuses a wrong password, and no log line repeats it', async () => {
    const lines: string[] = [];
    const kafka = await client({ KAFKA_SASL_PASSWORD: 'wr0ng' }, lines);
    await expect(kafka.admin()).rejects.toThrow(/SASL SCRAM SHA512 authentication failed/);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join('')).not.toContain('wr0ng');
  });

  it('is not trusted without its authority', async () => {
    await expect((await client({ KAFKA_SSL_CA: '' })).admin()).rejects.toThrow(/self-signed certificate/);
  });
});
