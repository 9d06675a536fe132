/** Batches that cannot be read stop their own partition and nothing else, until an operator passes over them. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it as ofAnyBroker } from 'vitest';
import { startApacheKafka } from '../../infra/local/engines/kafka.ts';
import { freePort, isListening } from '../../infra/local/ports.ts';
import type { Running } from '../../infra/local/process.ts';
import { createPublisher, type Publisher } from '../../shared/kafka/publish.ts';
import { readWorkerStatus } from '../../shared/store/worker-status.ts';
import { eventually } from '../support/eventually.ts';
import { withoutApacheKafka } from '../support/kafka-tool.ts';
import { runOpsHere } from '../support/ops.ts';
import { anEmailSent } from '../support/patients-world.ts';
import { startTamperingProxy, type Damage } from '../support/tampering-proxy.ts';
import { workerCorner, type WorkerCorner } from '../support/worker.ts';

/** The damage in each partition; the last partition has readable batches only. */
const damages: readonly { readonly kind: Damage; readonly reason: string }[] = [
  { kind: 'codec', reason: 'its codec is not known' },
  { kind: 'format', reason: 'its format is not known' },
  { kind: 'checksum', reason: 'its checksum is wrong' },
  { kind: 'record', reason: 'a record in it is malformed' },
  { kind: 'length', reason: 'it ends early' },
];
const SOUND = damages.length;
const LOCAL = join(import.meta.dirname, '../../.local');

const it = ofAnyBroker.skipIf(await withoutApacheKafka('batches that cannot be read'));
let dir: string;
let broker: Running;
let proxy: Awaited<ReturnType<typeof startTamperingProxy>>;
let corner: WorkerCorner;
let publisher: Publisher;

beforeAll(async () => {
  await mkdir(LOCAL, { recursive: true });
  dir = await mkdtemp(join(LOCAL, 'unreadable-'));
  const port = await freePort();
  proxy = await startTamperingProxy({ port });
  broker = await startApacheKafka(
    { port, dataDir: join(dir, 'kafka'), logFile: join(dir, 'kafka.log') },
    { properties: [`advertised.listeners=PLAINTEXT://127.0.0.1:${proxy.port}`], format: [] },
  );
  await eventually(async () => expect(await isListening(port)).toBe(true));
  corner = await workerCorner({ KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${proxy.port}` });
  publisher = createPublisher(corner.kafka.client);
});

afterAll(async () => {
  await corner.stopWorkers();
  await publisher.close();
  await proxy.close();
  await broker.stop();
  await Promise.all([rm(dir, { recursive: true, force: true }), rm(corner.logFile, { force: true })]);
});

const ops = (command: string) => runOpsHere(corner.environment, `--json ${command}`);

/** Sends each message as its own batch. @returns the ids of the events */
async function send(partition: number, ...notes: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const note of notes) {
    const event = anEmailSent(1, { note });
    await publisher.publish([
      { topic: corner.communicationEvents, key: 'k', value: JSON.stringify(event), partition },
    ]);
    ids.push(event.eventId);
  }
  return ids;
}

it('stops only its partition, is reported, and is passed over when an operator decides', async () => {
  await corner.world.register(1);
  const before = new Set<string>();
  const behind = new Set<string>();
  for (const [partition, { kind }] of damages.entries()) {
    const [first, , last] = await send(partition, 'sound', `damage:${kind}`, 'sound');
    before.add(first!);
    behind.add(last!);
  }
  for (const id of await send(SOUND, 'sound', 'sound', 'sound')) before.add(id);
  await publisher.publish([
    { topic: corner.communicationEvents, key: 'k', value: null, partition: SOUND },
    { topic: `${corner.communicationEvents}.dlq`, key: 'k', value: 'damage:checksum', partition: 0 },
    { topic: corner.communicationEvents, key: 'k', value: 'no JSON', partition: SOUND },
  ]);
  await corner.startWorker();

  // The messages before the batches, and the readable partition, are applied.
  await eventually(async () => expect(new Set(await corner.world.history(1))).toEqual(before));
  await eventually(async () => {
    const status = await readWorkerStatus(corner.world.db);
    const seen = status!.unreadable!.toSorted((a, b) => a.partition - b.partition);
    expect(seen).toEqual(
      damages.map(({ reason }, partition) => ({
        topic: corner.communicationEvents,
        partition,
        offset: '1',
        reason,
      })),
    );
    expect(status!.groups[0]!.lag).toBe(2 * damages.length);
  });
  // A new batch in an unaffected partition is applied at once.
  const [more] = await send(SOUND, 'sound');
  before.add(more!);
  await eventually(async () => expect(new Set(await corner.world.history(1))).toEqual(before));
  // The list of dead letters survives an unreadable batch in its topic; the tombstone does not count as a letter.
  const letters = await ops('dlq list');
  expect(letters.code).toBe(0);
  expect(letters.json()).toHaveLength(2);
  expect(letters.json()).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ error: 'event.not_json' }),
      expect.objectContaining({ place: 'communication:0:0' }),
    ]),
  );

  const shown = await ops('batch show communication 0');
  expect(shown.json()).toMatchObject({
    stands_at: '1',
    last_offset: '1',
    base_offset: '1',
    codec: 'unknown (6)',
    magic: 2,
    records: 1,
    reason: 'its codec is not known',
  });
  expect(shown.out + shown.err).not.toMatch(/damage|Beispiel|email_data/);
  expect((await ops('batch show communication 5')).code).toBe(4);
  expect((await ops('batch skip communication 0 --from 0 --apply')).code).toBe(4);
  expect((await ops('batch skip communication 0 --from 1 --to 2 --apply')).code).toBe(2);
  expect((await ops('batch skip communication 4 --from 1 --apply')).code).toBe(2);
  expect((await ops('batch skip communication 0 --from 1')).json()).toMatchObject({
    outcome: 'would be passed over',
  });

  for (const [partition, { kind }] of damages.entries()) {
    const end = kind === 'length' ? ' --to 1' : '';
    const { code, err } = await ops(`batch skip communication ${partition} --from 1${end} --apply`);
    expect({ partition, code, err }).toMatchObject({ code: 0 });
  }

  await eventually(async () =>
    expect(new Set(await corner.world.history(1))).toEqual(new Set([...before, ...behind])),
  );
  await eventually(async () => {
    const status = await readWorkerStatus(corner.world.db);
    expect(status).toMatchObject({ unreadable: [], groups: [{ lag: 0 }, { lag: 0 }] });
  });
  expect((await ops('batch list')).json()).toMatchObject(
    damages.map(() => ({ state: 'passed', from: '1', to: '1' })),
  );
  const lines = (await readFile(corner.logFile, 'utf8')).split('\n');
  expect(lines.filter((line) => line.includes('A batch cannot be read'))).toHaveLength(damages.length);
  expect(lines.filter((line) => line.includes('damage:'))).toEqual([]);
  // Ignore earlier lines: a consumer may have had to wait until its group was loaded.
  const since = lines.findIndex((line) => line.includes('A batch cannot be read'));
  expect(lines.slice(since).filter((line) => line.includes('will join again'))).toEqual([]);
});
