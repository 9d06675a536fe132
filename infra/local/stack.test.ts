import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { assertNoGaps, assertRepeatsAreExact } from '../../test/support/history.ts';
import { startTestStack, type TestStack } from '../../test/support/stack.ts';
import { isListening } from './ports.ts';

const FIXTURE = join(import.meta.dirname, '../../test/fixtures/registration-valid.json');

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stop(), 60_000);

const mails = async () => {
  const answer = await fetch(`${stack.describe().communication}/api/emails?limit=1000`);
  return ((await answer.json()) as { data: { patient_id: number }[] }).data;
};

it('turns a dropped file into a patient, an event and one mail, whose email.sent is announced', async () => {
  await copyFile(FIXTURE, join(stack.dropFolder, 'registration.json'));
  await eventually(async () => expect(await mails()).toHaveLength(1), 20_000);
  const history = await eventually(async () => {
    const found = await stack.history('patient-events');
    expect(found.length).toBeGreaterThan(0);
    return found;
  });
  assertNoGaps(history);
  assertRepeatsAreExact(history);
  await eventually(async () => expect(await stack.history('communication-events')).toHaveLength(1));
  const [files] = await stack.bucket.getFiles();
  expect(files.map(({ name }) => name)).toEqual([
    expect.stringMatching(/^processed\/\d{4}\/\d\d\/\d\d\/\w+\.json$/),
  ]);
});

it('shows no value of the registered person in any log', async () => {
  const logs = await stack.logs();
  for (const value of ['Lena', 'lena@example.org', 'Musterweg', 'Testkasse'])
    expect(logs).not.toContain(value);
});

it('starts a killed part again and says its new pid', async () => {
  const before = stack.describe().pids.worker;
  await stack.part('worker').kill();
  await eventually(() => expect(stack.describe().pids.worker).toEqual(expect.any(Number)));
  expect(stack.describe().pids.worker).not.toBe(before);
});

it('has every token accepted by the API', async () => {
  const { api, tokens } = stack.describe();
  for (const token of Object.values(tokens)) {
    const answer = await fetch(`${api}/api/patients`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
  }
});

it('writes what it is into stack.json', async () => {
  const file = join(stack.dropFolder, '../stack.json');
  await eventually(async () => expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(stack.describe()));
});

it('frees every port when it stops', async () => {
  const ports = Object.values(stack.settings.ports);
  await stack.stop();
  for (const port of ports) expect(await isListening(port)).toBe(false);
  stack = { ...stack, stop: async () => undefined };
});
