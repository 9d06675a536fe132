import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { dockerStandIn, type DockerStandIn } from '../../../test/support/docker-stand-in.ts';
import { freePort } from '../ports.ts';
import { imageOf, removeLeftovers, volumeFor } from './containers.ts';
import { startFirestore } from './firestore.ts';
import { startKafka } from './kafka.ts';

let docker: DockerStandIn;
let dir: string;
beforeEach(async () => {
  docker = await dockerStandIn({ java: 'old' });
  dir = await mkdtemp(join(tmpdir(), 'containers-'));
});
afterEach(async () => {
  await docker[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const optionsFor = async (name: string) => ({
  port: await freePort(),
  dataDir: join(dir, name),
  logFile: join(dir, `${name}.log`),
  useGiven: false,
});

it('starts the Firestore emulator as this user, on loopback, and removes the container when it ends', async () => {
  const options = await optionsFor('firestore');
  const engine = await startFirestore(options);
  await engine.stop();
  const name = `patient-service-firestore-${options.port}`;
  expect(docker.runs[0]?.join(' ')).toBe(
    `run --rm --init --name=${name} --label=patient-service.pid=${process.pid}` +
      ` --publish=127.0.0.1:${options.port}:8080 --user=${process.getuid?.()}:${process.getgid?.()}` +
      ` --env=HOME=/tmp --env=CLOUDSDK_CONFIG=/tmp/gcloud --env=JAVA_TOOL_OPTIONS=-Xmx1g` +
      ` --volume=${options.dataDir}:${options.dataDir} ${await imageOf('firestore')}` +
      ` gcloud emulators firestore start --quiet --host-port=0.0.0.0:8080`,
  );
});

it('starts Redpanda on a volume for the folder, advertised at its published address', async () => {
  const options = await optionsFor('kafka');
  // The stand-in's own Java is too old for Apache Kafka; this test checks only the arguments given to Docker.
  const starting = startKafka(options).catch(() => undefined);
  await eventually(() => expect(docker.runs.length).toBe(1));
  const volume = [...docker.volumes.keys()][0];
  expect(docker.volumes.get(volume ?? '')?.labels).toEqual([`patient-service.folder=${options.dataDir}`]);
  expect(docker.runs[0]?.join(' ')).toBe(
    `run --rm --init --name=patient-service-kafka-${options.port} --label=patient-service.pid=${process.pid}` +
      ` --publish=127.0.0.1:${options.port}:19092 --volume=${volume}:/var/lib/redpanda/data ${await imageOf('kafka')}` +
      ` redpanda start --mode dev-container --smp 1 --memory 512M --kafka-addr external://0.0.0.0:19092` +
      ` --advertise-kafka-addr external://127.0.0.1:${options.port} --set redpanda.auto_create_topics_enabled=false`,
  );
  await starting;
});

it('removes the containers and volumes of a killed process, and no others', async () => {
  const gone = 2 ** 22 + 1;
  const owned = (pid: number) => ({ labels: [`patient-service.pid=${pid}`] });
  docker.containers.set('dead', owned(gone)).set('mine', owned(process.pid)).set('foreign', { labels: [] });
  await mkdir(join(dir, 'kept'));
  await volumeFor('kafka', join(dir, 'kept'));
  docker.volumes.set('orphan', { labels: [`patient-service.folder=${join(dir, 'gone')}`] });
  docker.volumes.set('foreign', { labels: [] });
  await removeLeftovers();
  expect([...docker.containers.keys()]).toEqual(['mine', 'foreign']);
  expect(docker.volumes.size).toBe(2);
  expect(docker.volumes.has('orphan')).toBe(false);
  docker.containers.clear();
});
