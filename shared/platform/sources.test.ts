import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { expect, it, onTestFinished } from 'vitest';
import { bundling } from '../../infra/bundle.ts';
import { inSources } from './sources.ts';

const root = join(import.meta.dirname, '../..');

it('names the source of a place in a bundle, and leaves libraries as they are', async () => {
  const dir = await mkdtemp(join(root, 'sources-test-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  await writeFile(
    join(dir, 'main.ts'),
    [
      "import { z } from 'zod';",
      "import { errorFields } from '../shared/platform/log.ts';",
      'function fails(): never {',
      "  throw new Error('planted');",
      '}',
      'const traces = [fails, () => z.string().parse(7)].map((run) => {',
      '  try { run(); } catch (error) { return errorFields(error).stack_trace; }',
      '});',
      'console.log(JSON.stringify(traces));',
    ].join('\n'),
  );
  const outfile = join(dir, 'dist/main.js');
  await build({ ...bundling, entryPoints: [join(dir, 'main.ts')], outdir: join(dir, 'dist') });
  const { stdout } = await promisify(execFile)(process.execPath, [outfile]);
  const [ours, library] = JSON.parse(stdout) as [string, string];
  expect(ours.split('\n')[1]).toMatch(/^\s+at fails \(main\.ts:4:9\)$/);
  expect(library).toMatch(/main\.ts:6:\d+/);
  expect(library).not.toContain('library:1');
});

it('leaves code without a source map as it is', () => {
  const line = '    at x (file:///nowhere/index.js:3:4)';
  expect(inSources(line)).toBe(line);
});

it('leaves code that a bundler added, which its map ties to no source', async () => {
  const dir = await mkdtemp(join(root, 'sources-test-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const bundle = join(dir, 'index.js');
  await writeFile(`${bundle}.map`, JSON.stringify({ version: 3, sources: [], names: [], mappings: 'A' }));
  const line = `    at x (${pathToFileURL(bundle).href}:1:1)`;
  expect(inSources(line)).toBe(line);
});
