/** The walk of docs/api.md, run as it stands there against a whole stack. */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestStack, type TestStack } from '../support/stack.ts';

const missing = ['curl', 'jq', 'kcat'].filter((tool) => spawnSync('which', [tool]).status !== 0);
if (missing.length > 0) console.warn(`SKIPPED: the walk through the API, without ${missing.join(' and ')}.`);

const page = readFileSync(join(import.meta.dirname, '../../docs/api.md'), 'utf8');
const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block ?? '');

describe.skipIf(missing.length > 0)('the walk through the API', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack();
  }, 120_000);
  afterAll(() => stack.stop(), 60_000);

  it('shows what the page says', { timeout: 120_000 }, async () => {
    const script = ['set -eu', ...blocks]
      .join('\n')
      .replace('.local/stack.json', join(dirname(stack.dropFolder), 'stack.json'));
    const { stdout } = await promisify(execFile)('bash', ['-c', script]);
    const expected = [
      'HTTP/1.1 200',
      '"status": "offen"',
      '"status": "auf_der_Suche"',
      '{"sequence":1,"eventType":"patient.created"}',
      '{"sequence":2,"eventType":"patient.updated"}',
      '{"sequence":3,"eventType":"patient.updated"}',
      '{"sequence":4,"eventType":"patient.status_changed"}',
      '\n200\n',
      '"status": 412',
      '"total": 1',
      '"nachname": "Wanderlied"',
      '"pointer": "/plz"',
      '"letzter_kontakt": "20',
      '"data": []',
      '"last_24_hours"',
      '\n204\n404\n410\n',
    ];
    let from = 0;
    for (const text of expected) {
      const at = stdout.indexOf(text, from);
      expect(at, `${text} after\n${stdout.slice(from)}`).toBeGreaterThanOrEqual(0);
      // The last character may begin the next one.
      from = at + text.length - 1;
    }
  });
});
