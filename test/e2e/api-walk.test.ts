/** Runs the examples of README.md and docs/api.md unchanged against a whole stack. */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestStack, type TestStack } from '../support/stack.ts';

const missing = ['curl', 'jq', 'kcat'].filter((tool) => spawnSync('which', [tool]).status !== 0);
if (missing.length > 0) console.warn(`SKIPPED: the walk through the API, without ${missing.join(' and ')}.`);

const README_WALK = /^## Walk through the API$.*?(?=^## )/ms;

/** Joins the shell blocks of a page, or of one section of it, to one script. */
function scriptOf(path: string, section = /.*/s): string {
  const [text = ''] = section.exec(readFileSync(join(import.meta.dirname, '../..', path), 'utf8')) ?? [];
  return ['set -eu', ...[...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block)].join('\n');
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
  beforeAll(async () => {
    stack = await startTestStack();
  });
  afterAll(() => stack.stop(), 60_000);

  async function run(script: string): Promise<string> {
    const here = script.replace('.local/stack.json', join(dirname(stack.dropFolder), 'stack.json'));
    return (await promisify(execFile)('bash', ['-c', here])).stdout;
  }

  it('of the README print what it says', { timeout: 60_000 }, async () => {
    expectInOrder(await run(scriptOf('README.md', README_WALK)), [
      '"vorname":"Jörg","status":"offen"',
      '{"status":"offen","startdatum":null}',
      '{"status":"auf_der_Suche","startdatum":"20',
      '{"sequence":1,"eventType":"patient.created","new_status":null}',
      '{"sequence":2,"eventType":"patient.updated"',
      '{"sequence":3,"eventType":"patient.updated"',
      '{"sequence":4,"eventType":"patient.status_changed","new_status":"auf_der_Suche"}',
      '[{"id":7',
      '"total":1',
      '"nachname":"Fußweg"',
      '\n204\n',
    ]);
  });

  it('of docs/api.md print what it says', { timeout: 120_000 }, async () => {
    expectInOrder(await run(scriptOf('docs/api.md')), [
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
      '"letzter_kontakt": "2026-03-01"',
      '"data": []',
      '"last_24_hours"',
      '\n204\n404\n410\n',
    ]);
  });
});
