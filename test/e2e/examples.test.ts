/**
 * Runs the examples of the README and of the pages about the local stack unchanged against a whole stack. The commands of the
 * other pages are checked by test/docs/commands.test.ts.
 */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

const missing = ['curl', 'jq', 'kcat'].filter((tool) => spawnSync('which', [tool]).status !== 0);
if (missing.length > 0) console.warn(`SKIPPED: the examples of the pages, without ${missing.join(' and ')}.`);

const root = resolve(import.meta.dirname, '../..');

/** The shell blocks of a page. */
function blocksOf(path: string): string[] {
  return [...readFileSync(join(root, path), 'utf8').matchAll(/^```sh\n(.*?)^```$/gms)].map(
    ([, block = '']) => block,
  );
}

function expectInOrder(output: string, expected: readonly string[]): void {
  let from = 0;
  for (const text of expected) {
    const at = output.indexOf(text, from);
    expect(at, `${text} after\n${output.slice(from)}`).toBeGreaterThanOrEqual(0);
    // The last character may also start the next match.
    from = at + text.length - 1;
  }
}

describe.skipIf(missing.length > 0)('the examples', () => {
  let stack: TestStack;
  /** A copy of the project's folder in which this stack is the running one. */
  let folder: string;
  beforeAll(async () => {
    stack = await startTestStack();
    folder = join(dirname(stack.dropFolder), 'project');
    await mkdir(join(folder, '.local'), { recursive: true });
    await symlink(join(dirname(stack.dropFolder), 'stack.json'), join(folder, '.local/stack.json'));
    await symlink(stack.dropFolder, join(folder, 'drop'));
    for (const name of await readdir(root)) {
      if (!['.local', 'drop', 'dist', '.git'].includes(name))
        await symlink(join(root, name), join(folder, name));
    }
  });
  afterAll(() => stack?.stop());

  async function run(script: string): Promise<string> {
    const options = { cwd: folder, env: withoutStack(), maxBuffer: 64 * 1024 ** 2 };
    return (await promisify(execFile)('bash', ['-c', `set -eu\n${script}`], options)).stdout;
  }

  /** Waits until all effects of an uploaded file have happened. */
  async function settled(imports: number): Promise<void> {
    await eventually(async () => {
      expect((await stack.db.collection('imports').count().get()).data().count).toBe(imports);
      expect((await stack.db.collection('outbox').count().get()).data().count).toBe(0);
    });
  }

  it('of docs/local-stack.md print what it says', async () => {
    const [drop, look, broken, failed] = blocksOf('docs/local-stack.md') as [string, string, string, string];
    await run(drop);
    await settled(1);
    // The mail causes an event, which comes back through Kafka.
    await eventually(async () => {
      const patients = await stack.db.collection('patients').where('letzter_kontakt', '!=', null).get();
      expect(patients.size).toBe(1);
    });
    await settled(1);
    expectInOrder(await run(look), [
      'imported',
      '"nachname": "Beispiel"',
      '"eventType":"patient.created"',
      '"eventType":"patient.updated"',
      '"empfaenger_email"',
      '"healthy"',
      'Firestore and the topic agree: 1 patient',
    ]);
    await run(broken);
    await settled(2);
    expectInOrder(await run(failed), ['failed', 'import.', '"subject"']);
  });

  it('of the README print what it says', async () => {
    const [install, drop, walk] = blocksOf('README.md') as [string, string, string];
    // Continuous integration runs these commands (.ci/run).
    expect(install).toMatch(/^npm ci && npm start .*\nnpm ci && npm test /);
    expect(await run(drop)).toContain('uploaded test/fixtures/registration-valid.json to incoming/');
    expectInOrder(await run(walk), [
      '"status":"offen","startdatum":null}',
      '"status":"auf_der_Suche","startdatum":"20',
      '[{"id":7',
      '"nachname":"Fußweg"',
      '\n204\n',
      '{"sequence":1,"eventType":"patient.created","status":null}',
      '{"sequence":2,"eventType":"patient.updated"',
      '{"sequence":3,"eventType":"patient.updated"',
      '{"sequence":4,"eventType":"patient.status_changed","status":"auf_der_Suche"}',
      '"eventType":"patient.therapist_excluded"',
      '"eventType":"patient.deleted"',
    ]);
  });

  it('of docs/api.md print what it says', async () => {
    expectInOrder(await run(blocksOf('docs/api.md').join('\n')), [
      'HTTP/1.1 200',
      '"status": "offen"',
      '"status": "auf_der_Suche"',
      '{"sequence":1,"eventType":"patient.created"}',
      '{"sequence":2,"eventType":"patient.updated"}',
      '{"sequence":3,"eventType":"patient.updated"}',
      '{"sequence":4,"eventType":"patient.status_changed"}',
      '\n200\n',
      '"status": 412',
      '"total": ',
      '"nachname": "Wanderlied"',
      '"pointer": "/plz"',
      '"letzter_kontakt": "20',
      '"letzter_kontakt": "2026-03-01"',
      '"data": []',
      '"last_24_hours"',
      '\n204\n404\n410\n',
    ]);
  });

  it('of docs/events.md show the events and the dead letters', async () => {
    const shown = await run(blocksOf('docs/events.md').join('\n'));
    expectInOrder(shown, ['ce_type=patient.created', '"eventType":"patient.created"', 'No dead letters.']);
  });
});

/** The environment without the addresses of the test run's engines, so that the commands use the stack's. */
function withoutStack(): NodeJS.ProcessEnv {
  const {
    GOOGLE_CLOUD_PROJECT: _project,
    FIRESTORE_EMULATOR_HOST: _firestore,
    STORAGE_EMULATOR_HOST: _storage,
    KAFKA_BOOTSTRAP_SERVERS: _kafka,
    ...rest
  } = process.env;
  return rest;
}
