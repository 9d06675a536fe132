import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const TOTAL = join(import.meta.dirname, '../../.ci/total.mjs');
let folder: string;

beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'ci-total-'))));
afterEach(() => rm(folder, { recursive: true }));

function total() {
  const { status, stdout } = spawnSync(process.execPath, [TOTAL, folder], { encoding: 'utf8' });
  return { status, lastLine: stdout.trimEnd().split('\n').at(-1) };
}

interface VitestResult {
  readonly passed: number;
  readonly failed?: readonly string[];
  readonly skipped?: number;
  readonly success?: boolean;
}

async function vitestReport(name: string, { passed, failed = [], skipped = 0, success }: VitestResult) {
  const report = {
    numPassedTests: passed,
    numFailedTests: failed.length,
    numPendingTests: skipped,
    numTodoTests: 0,
    success: success ?? failed.length === 0,
    testResults: [{ assertionResults: failed.map((fullName) => ({ fullName, status: 'failed' })) }],
  };
  await writeFile(join(folder, name), JSON.stringify(report));
}

const write = (name: string, text: string) => writeFile(join(folder, name), text);

describe('the last line of CI', () => {
  it('adds up all runners', async () => {
    await vitestReport('test.json', { passed: 10, skipped: 2 });
    await vitestReport('test-faults.json', { passed: 3 });
    await write(
      'contract.xml',
      '<testsuites><testsuite name="s" errors="0" failures="0" skipped="1" tests="5" /></testsuites>',
    );
    expect(total()).toEqual({ status: 0, lastLine: '17 passed, 0 failed, 3 skipped' });
  });

  it('leaves out the skipped when there are none', async () => {
    await vitestReport('test.json', { passed: 1 });
    expect(total()).toEqual({ status: 0, lastLine: '1 passed, 0 failed' });
  });

  it('counts a failed test once, although its step failed too', async () => {
    await vitestReport('test.json', { passed: 1, failed: ['a', 'b'] });
    await write('failed-steps', 'tests\ttest.json\n');
    expect(total()).toEqual({ status: 1, lastLine: '1 passed, 2 failed' });
  });

  it('counts a step that has no tests', async () => {
    await vitestReport('test.json', { passed: 1 });
    await write('failed-steps', 'lint\t-\n');
    expect(total()).toEqual({ status: 1, lastLine: '1 passed, 1 failed' });
  });

  it('counts a step that died before it wrote its report', async () => {
    await vitestReport('test.json', { passed: 1 });
    await write('failed-steps', 'faults\ttest-faults.json\n');
    expect(total()).toEqual({ status: 1, lastLine: '1 passed, 1 failed' });
  });

  it('counts a run that failed outside its tests', async () => {
    await vitestReport('test.json', { passed: 1, success: false });
    expect(total()).toEqual({ status: 1, lastLine: '1 passed, 1 failed' });
  });

  it('counts failures and errors of JUnit', async () => {
    await write('contract.xml', '<testsuite name="s" errors="1" failures="2" skipped="0" tests="5">');
    expect(total()).toEqual({ status: 1, lastLine: '2 passed, 3 failed' });
  });

  it('fails when nothing ran', () => {
    expect(total()).toEqual({ status: 1, lastLine: '0 passed, 0 failed' });
  });
});
