import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { createLog } from '../../shared/platform/log.ts';
import { readLastImports } from '../../shared/store/import-statistics.ts';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { Interrupted } from './interruption.ts';
import { createOpsService, readOnly } from './service.ts';
import type { MayRun } from './program.ts';

const world = patientsWorld();
const logged: string[] = [];
const log = createLog({
  service: 'ops',
  project: '',
  destination: new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk));
      done();
    },
  }),
});

/** Nothing listens at the broker's address: a command that connects to Kafka answers with exit code 3. */
async function serve(mayRun: MayRun, signal?: AbortSignal): Promise<string> {
  const environment = {
    ...process.env,
    GOOGLE_CLOUD_PROJECT: world.project,
    KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:9',
  };
  const server = createOpsService({ environment, mayRun, log, ...(signal === undefined ? {} : { signal }) });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  afterAll(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const read = await serve(readOnly);
const write = await serve(() => true);

async function ask(url: string, args: readonly string[], headers: Record<string, string> = {}) {
  const body = new URLSearchParams(args.map((arg) => ['arg', arg]));
  const answer = await fetch(url, { method: 'POST', body, headers });
  return { status: answer.status, text: await answer.text() };
}

describe('the operators’ service', () => {
  it('answers a command with its output', async () => {
    for (const url of [read, write]) {
      const { status, text } = await ask(url, ['outbox', 'status']);
      expect({ status, text }).toEqual({
        status: 200,
        text: expect.stringMatching(/events +0\n[^]*oldest_seconds +0/),
      });
      expect(text).not.toContain('exit code');
    }
  });

  it('ends a command after its current step when the instance shuts down', async () => {
    const stopping = await serve(readOnly, AbortSignal.abort(new Interrupted()));
    expect(await ask(stopping, ['verify'])).toEqual({
      status: 200,
      text: expect.stringMatching(/^Interrupted\.\n0 partitions checked\..*\nexit code 130\n$/),
    });
  });

  it('answers with the exit code of a command that failed', async () => {
    const record = '0'.repeat(32);
    expect(await ask(read, ['import', 'show', record])).toEqual({
      status: 200,
      text: expect.stringMatching(/There is no file 0{32}.*\nexit code 4\n$/),
    });
    expect((await ask(read, ['dlq', 'lsit'])).text).toMatch(/exit code 2\n$/);
  });

  it.each([
    [['republish', '--all']],
    [['dlq', 'replay', '--dry-run']],
    [['dlq', 'drop', '--all']],
    [['dlq', 'show', 'communication:3:17', '--value']],
    [['import', 'delete', '0'.repeat(64)]],
    [['--json', 'import', 'retry', '0'.repeat(32)]],
  ])('refuses %j on the read-only service', async (args) => {
    expect(await ask(read, args)).toEqual({
      status: 403,
      text: expect.stringMatching(/ask ops-write \(OPS=write\)\.\nexit code 2\n$/),
    });
  });

  it('runs on the writing service a command that the read-only one refuses', async () => {
    expect(await ask(write, ['republish', '--all', '--dry-run'])).toEqual({
      status: 200,
      text: expect.stringContaining('0 patients would be put into the outbox.'),
    });
    expect(await readLastImports(world.db, 1)).toEqual([]);
  });

  it.each([
    'dlq list',
    'dlq show',
    'import list',
    'import show',
    'import waiting',
    'lag',
    'outbox status',
    'retention preview',
  ])('allows the reading command %s under the name it has in the program', async (name) => {
    expect(readOnly(name, {})).toBe(true);
    const { text } = await ask(read, [...name.split(' '), '--help']);
    expect(text).toContain(`Usage: ops ${name}`);
  });

  it('passes the command line to the program only: no option of Node and no environment variable', async () => {
    for (const trick of ['--import=data:text/javascript,process.exit(7)', 'NODE_OPTIONS=--inspect']) {
      expect((await ask(write, [trick])).text).toMatch(/exit code 2\n$/);
    }
  });

  it.each([
    ['GET', undefined, 405],
    ['POST', '', 400],
    ['POST', 'argument=dlq', 400],
    ['POST', `arg=${'x'.repeat(70_000)}`, 413],
  ])('answers %s with %s by %i', async (method, body, status) => {
    const answer = await fetch(read, { method, ...(body === undefined ? {} : { body }) });
    expect(answer.status).toBe(status);
    await answer.text();
  });

  it('logs who ran which command and whose data it changed, without its arguments', async () => {
    logged.length = 0;
    const payload = Buffer.from(JSON.stringify({ sub: '10458', email: 'a@example.org' })).toString(
      'base64url',
    );
    const token = `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${payload}.SIGNATURE_REMOVED`;
    await ask(read, ['import', 'show', 'Mustermann'], { authorization: `Bearer ${token}` });
    const line = JSON.parse(logged.find((text) => text.includes('"audit"'))!) as object;
    expect(line).toMatchObject({ actor: '10458', route: 'import show', status: 4 });
    expect(JSON.stringify(line)).not.toMatch(/Mustermann|example\.org/);

    logged.length = 0;
    await world.register(1);
    await ask(write, ['republish', '--patient', '1'], { authorization: `Bearer ${token}` });
    const lines = logged.map((text) => JSON.parse(text) as object);
    const by = { message: 'audit', actor: '10458', role: 'operator', route: 'republish' };
    expect(lines).toMatchObject([
      { ...by, outcome: 'changed', patient_ids: [1] },
      { ...by, status: 0 },
    ]);
  });
});
