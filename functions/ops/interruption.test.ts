/** An interrupted command says how to continue; after continuing, nothing is left out and nothing is done twice. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { partitionOf } from '../../shared/kafka/kafkajs.ts';
import { readTopic } from '../../shared/kafka/read-topic.ts';
import { recordIdOf } from '../../shared/store/imports.ts';
import { importObject } from '../../shared/registration/import-object.ts';
import { eventually } from '../../test/support/eventually.ts';
import { importWorld } from '../../test/support/import-world.ts';
import { opsCorner } from '../../test/support/ops-corner.ts';
import { Interrupted } from './interruption.ts';

const { kafka, world, topics, environment, ops, bury } = await opsCorner();
for (const id of [1, 2, 3]) await world.register(id);

const sequences = () => Promise.all([1, 2, 3].map((id) => world.sequence(id)));

/** Runs a command and interrupts it as soon as the condition holds. */
async function interrupted(commandLine: string, when: () => Promise<void>) {
  const stop = new AbortController();
  const running = ops(commandLine, {}, stop.signal);
  await eventually(when);
  stop.abort(new Interrupted());
  return running;
}

/** Runs the command that an interrupted one named. */
function continued({ err }: { err: string }) {
  const [, next = ''] = /Continue with: ops (.*)/.exec(err) ?? [];
  return ops(next.replace('--rate 0.01', '--rate 1000'));
}

it('republish continues after the last patient', async () => {
  const before = await sequences();
  const first = await interrupted('republish --all --rate 0.01', async () =>
    expect(await world.sequence(1)).toBe(before[0]! + 1),
  );
  expect(first).toMatchObject({
    code: 130,
    out: '',
    err: 'Interrupted.\n1 patient put into the outbox. Continue with: ops republish --all --after 1 --rate 0.01\n',
  });

  const rest = await continued(first);
  expect(rest).toMatchObject({ code: 0, out: expect.stringContaining('2 patients put into the outbox.') });
  expect(await sequences()).toEqual(before.map((number) => number + 1));
});

it('republish ends on Ctrl-C, which npm forwards a second time', async () => {
  const before = await sequences();
  const script = join(import.meta.dirname, 'index.ts');
  const command = spawn(process.execPath, [script, 'republish', '--all', '--rate', '0.01'], {
    env: environment,
  });
  const written = text(command.stderr);
  await eventually(async () => expect(await world.sequence(1)).toBe(before[0]! + 1));
  command.kill('SIGINT');
  command.kill('SIGINT');
  const [code, signal] = (await once(command, 'exit')) as [number, null] | [null, NodeJS.Signals];
  // As a shell states it: the second signal may come when Node has ended the work and no longer handles signals.
  expect(code ?? 128 + constants.signals[signal]).toBe(130);
  // Patients of the page are in the audit trail before they are changed.
  expect(await written).toContain('"patient_ids":[1,2,3]');
  expect(await written).toMatch(
    /Stopping after the current step.*\n[^]*Continue with: ops republish --all --after 1/,
  );
});

it('republish continues after kill -9 at the patient that its progress named', async () => {
  const before = await sequences();
  const onTerminal = 'data:text/javascript,process.stderr.isTTY = true';
  const script = join(import.meta.dirname, 'index.ts');
  const command = spawn(
    process.execPath,
    ['--import', onTerminal, script, 'republish', '--all', '--rate', '0.01'],
    { env: environment },
  );
  let shown = '';
  const { promise: named, resolve } = Promise.withResolvers<void>();
  command.stderr.on('data', (chunk: Buffer) => {
    shown += String(chunk);
    if (shown.includes('done up to patient 1')) resolve();
  });
  const ended = once(command, 'exit');
  await Promise.race([named, ended]);
  command.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
  // On a terminal nothing keeps the audit trail.
  expect(shown).not.toContain('patient_ids');

  expect((await ops('republish --all --after 1')).out).toContain('2 patients put into the outbox.');
  expect(await sequences()).toEqual(before.map((number) => number + 1));
});

it('verify continues after kill -9 at the partition that its progress named, and each finding is shown once', async () => {
  const corner = await opsCorner();
  const ids = Array.from({ length: 12 }, (_, n) => n + 1);
  for (const id of ids) await corner.world.register(id);
  const { docs } = await corner.world.db.collection('outbox').get();
  for (const { ref } of docs) await ref.delete();
  const first = ids.filter((id) => partitionOf(String(id), 6) <= 1);
  const killed = `data:text/javascript,${encodeURIComponent(`
    const { stderr } = process;
    stderr.isTTY = true;
    const write = stderr.write;
    stderr.write = (...written) => {
      write.apply(stderr, written);
      if (String(written[0]).includes('done up to partition 1')) process.kill(process.pid, 'SIGKILL');
    };`)}`;
  const script = join(import.meta.dirname, 'index.ts');
  const command = spawn(process.execPath, ['--import', killed, script, 'verify'], {
    env: corner.environment,
  });
  const [shown, [, signal]] = await Promise.all([
    text(command.stdout),
    once(command, 'exit'),
    text(command.stderr),
  ]);
  expect(signal).toBe('SIGKILL');
  expect(patientsIn(shown)).toEqual(first);

  const rest = await corner.ops('verify --after 1');
  expect(rest).toMatchObject({ code: 1, out: expect.stringMatching(/^Partitions up to 1 were left out/m) });
  expect(patientsIn(rest.out)).toEqual(ids.filter((id) => !first.includes(id)));
  expect(rest.out).toContain(`${ids.length - first.length} findings from partition 2 on:`);
});

/** The patients of a table of findings, in the order of their ids. */
function patientsIn(table: string): number[] {
  return [...table.matchAll(/^(\d+) +missing/gm)].map(([, id]) => Number(id)).sort((a, b) => a - b);
}

it('the rebuild of the search index continues where it stopped', async () => {
  const stopped = await ops('search rebuild', {}, AbortSignal.abort(new Interrupted()));
  expect(stopped).toMatchObject({
    code: 130,
    err: expect.stringContaining('3 patients done. Continue with: ops search rebuild --after 3\n'),
  });
  expect((await continued(stopped)).code).toBe(0);
});

it('a replay continues with the letters that are left', async () => {
  for (let n = 0; n < 3; n += 1) await bury(topics.communication, n, `letter ${n}`);
  const first = await interrupted('dlq replay --all --rate 0.01', async () =>
    expect(await kafka.read(topics.communication)).toHaveLength(1),
  );
  expect(first).toMatchObject({
    code: 130,
    err: 'Interrupted.\n1 dead letter replayed, 2 left. Run the same command again to continue.\n',
  });
  const places = ((await ops('--json dlq list')).json() as { place: string }[]).map(({ place }) => place);
  expect(places).toHaveLength(2);

  const second = await interrupted(`dlq replay ${places.join(' ')} --rate 0.01`, async () =>
    expect(await kafka.read(topics.communication)).toHaveLength(2),
  );
  expect(second.err).toContain(`1 left. Continue with the rest: ${places[1]}\n`);

  expect((await ops('dlq replay --all')).code).toBe(0);
  const values = (await kafka.read(topics.communication)).map(({ value }) => String(value)).sort();
  expect(values).toEqual(['letter 0', 'letter 1', 'letter 2']);
});

it('a retry of many files continues with the rest', async () => {
  const { deps, bucket, drop } = await importWorld({ db: world.db });
  const files = [await drop({ patient_data: 'none' }), await drop({ patient_data: 'none' })];
  for (const file of files) await importObject(deps, file);
  const [a, b] = files.map(({ name, generation }) => recordIdOf(bucket.name, name, generation));
  const where = { GCS_IMPORT_BUCKET: bucket.name };
  const stopped = await ops(`import retry ${a} ${b}`, where, AbortSignal.abort(new Interrupted()));
  expect(stopped).toMatchObject({ code: 130, err: expect.stringContaining(`0 files copied back.`) });
  expect(stopped.err).toContain(a);
  expect(stopped.err).toContain(b);
  expect((await ops(`import retry ${a} ${'0'.repeat(64)}`, where)).code).toBe(4);
  const [untouched] = await bucket.getFiles({ prefix: 'incoming/' });
  expect(untouched).toEqual([]);
  expect(await ops(`import retry ${a} ${b}`, where)).toMatchObject({
    code: 0,
    out: expect.stringContaining('2 files back in incoming/'),
  });
});

it.each([
  ['verify', '0 partitions checked. Continue with: ops verify\n'],
  ['verify --after 2', '0 partitions checked. Continue with: ops verify --after 2\n'],
  ['restore fence', 'Nothing was changed.'],
  ['restore fence --apply', 'Continue with: ops restore fence --apply'],
  ['patient export 1', 'The document is incomplete: run the command again.'],
])('%s says how to continue', async (command, sentence) => {
  const where = { GCS_IMPORT_BUCKET: `${world.project}-import` };
  const { code, err } = await ops(command, where, AbortSignal.abort(new Interrupted()));
  expect({ code, err }).toEqual({ code: 130, err: expect.stringContaining(`Interrupted.\n`) });
  expect(err).toContain(sentence);
});

it('reading a topic ends with the reason of its abort signal', async () => {
  const stop = new AbortController();
  const reading = readTopic(kafka.client, topics.communication, {
    group: `${kafka.prefix}reader`,
    signal: stop.signal,
    onMessage: () => stop.abort(new Interrupted()),
  });
  await expect(reading).rejects.toThrow(Interrupted);
});
