import { chmod, copyFile, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { assertNoGaps, assertRepeatsAreExact } from '../../test/support/history.ts';
import { objectNames } from '../../test/support/import-world.ts';
import { startTestStack, type TestStack } from '../../test/support/stack.ts';
import { isListening } from './ports.ts';

const FIXTURE = join(import.meta.dirname, '../../test/fixtures/registration-valid.json');

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stop());

const mails = async () => {
  const answer = await fetch(`${stack.describe().communication}/api/emails?limit=1000`);
  return ((await answer.json()) as { data: { patient_id: number }[] }).data;
};

it('turns a dropped file into a patient, an event and one mail, whose email.sent is announced', async () => {
  await copyFile(FIXTURE, join(stack.dropFolder, 'registration.json'));
  await eventually(async () => expect(await mails()).toHaveLength(1));
  const history = await eventually(async () => {
    const found = await stack.history('patient-events');
    expect(found.length).toBeGreaterThan(0);
    return found;
  });
  assertNoGaps(history);
  assertRepeatsAreExact(history);
  await eventually(async () => expect(await stack.history('communication-events')).toHaveLength(1));
  // The mail may go out before the file has moved.
  await eventually(async () =>
    expect(await objectNames(stack.bucket)).toEqual([
      expect.stringMatching(/^processed\/\d{4}\/\d\d\/\d\d\/\w+\.json$/),
    ]),
  );
});

it('shows no value of the registered person in any log', async () => {
  const logs = await stack.logs();
  for (const value of ['Lena', 'lena@example.org', 'Musterweg', 'Testkasse'])
    expect(logs).not.toContain(value);
});

it('restarts a killed part and reports its new pid', async () => {
  const before = stack.describe().pids.worker;
  await stack.part('worker').kill();
  await eventually(() => {
    const { worker } = stack.describe().pids;
    expect(worker).toEqual(expect.any(Number));
    expect(worker).not.toBe(before);
  });
});

it('writes tokens that the API accepts', async () => {
  const { api, tokens } = stack.describe();
  for (const token of Object.values(tokens)) {
    const answer = await fetch(`${api}/api/patients`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
  }
});

it('writes its description into stack.json', async () => {
  const file = join(stack.dropFolder, '../stack.json');
  await eventually(async () => expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(stack.describe()));
});

it('makes stack.json readable by its owner only, since it holds tokens', async () => {
  const dir = join(stack.dropFolder, '..');
  const modeOf = async (name: string) => ((await stat(join(dir, name))).mode & 0o777).toString(8);
  expect(await modeOf('stack.json')).toBe('600');
  expect(await modeOf('data')).toBe('700');
  // An existing file that everybody can read does not pass its permissions on.
  await chmod(join(dir, 'stack.json'), 0o644);
  await stack.part('health').kill();
  await eventually(async () => expect(await modeOf('stack.json')).toBe('600'));
});

it.skipIf(process.platform !== 'linux')('listens on loopback only, in every part', async () => {
  const listening = await eventually(async () => {
    const found = await listeningAddresses(Object.values(stack.describe().pids));
    for (const port of Object.values(stack.settings.ports)) {
      expect(found).toContainEqual(expect.objectContaining({ port }));
    }
    return found;
  });
  expect(listening.filter(({ loopback }) => !loopback)).toEqual([]);
});

/** The addresses on which this process, the given ones and their descendants listen, from the kernel's tables. */
async function listeningAddresses(pids: readonly number[]) {
  const inodes = new Set<string>();
  for (const pid of [process.pid, ...pids]) {
    for (const fd of await readdir(`/proc/${pid}/fd`)) {
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
  }
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8')));
  return tables
    .flatMap((table) => table.split('\n').map((line) => line.trim().split(/\s+/)))
    .filter(([, , , state, , , , , , inode]) => state === '0A' && inodes.has(inode ?? ''))
    .map(([, local = '']) => {
      const [address = '', port = ''] = local.split(':');
      return { port: parseInt(port, 16), address, loopback: LOOPBACK.has(address) };
    });
}

/** 127.0.0.1, ::1 and ::ffff:127.0.0.1 as the kernel writes them. */
const LOOPBACK: ReadonlySet<string> = new Set([
  '0100007F',
  '00000000000000000000000001000000',
  '0000000000000000FFFF00000100007F',
]);

it('frees every port when it stops', async () => {
  const ports = Object.values(stack.settings.ports);
  await stack.stop();
  for (const port of ports) expect(await isListening(port)).toBe(false);
  stack = { ...stack, stop: async () => undefined };
});
