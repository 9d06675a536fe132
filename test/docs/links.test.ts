/** What pages and comments point to is there: links (`docs/domain.md#status`), and the files and tests that pages name. */
import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { dirname, join, normalize, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

const PAGES = ['*.md', 'docs/**/*.md'];
const CODE = [
  '{functions,shared,infra,test,.ci}/**/*.{ts,mjs,js,sh,tf,tfvars,yaml,html}',
  '*.{ts,yaml}',
  '.ci/run',
];

/** `[text](target)`, also where the text holds a link's brackets. */
const MARKDOWN_LINK = /\]\(([^()\s]+)\)/g;
const LINK_IN_CODE = /(?<![\w/.-])(?:docs|infra|functions|shared)\/[\w./-]+\.md(?:#[\w-]+)?/g;
/** A path of code, or a pattern of paths, in backticks. What begins with a dot is made by tools. */
const PATH = /`((?:functions|shared|infra|test)(?:\/[\w*-][\w.*-]*)+\/?)`/g;
/** A chapter of a page that no reader of this repository has. */
const FOREIGN_CITATION = /\b(?:DESIGN|DOMAIN|FIELD-NOTES)\b(?: \d|\.md)/g;

it('resolves every link in the pages', async () => {
  expect(await problemsIn(PAGES, brokenLinksOfPage)).toEqual([]);
});

it('resolves every link to a page in the code', async () => {
  expect(await problemsIn(CODE, brokenLinksOfCode)).toEqual([]);
});

it('names no file or folder in the pages that does not exist', async () => {
  expect(await problemsIn(PAGES, async (_, text) => missingPaths(text))).toEqual([]);
});

it('cites no page that is not in the repository', async () => {
  const cited = (_: string, text: string) => [...text.matchAll(FOREIGN_CITATION)].map(([match]) => match);
  expect(await problemsIn([...PAGES, ...CODE], async (file, text) => cited(file, text))).toEqual([]);
});

it('finds a link that leads nowhere', async () => {
  const anchor = 'domain.md#no-such-heading';
  expect(
    await brokenLinksOfPage('docs/api.md', `[a](${anchor}) [b](domain.md#status) [c](none.md) [d](#erase)`),
  ).toEqual([anchor, 'none.md']);
  expect(await brokenLinksOfCode('x.ts', `// docs/${anchor}, docs/domain.md#status`)).toEqual([
    `docs/${anchor}`,
  ]);
  expect(await missingPaths('`test/none.test.ts`, `shared/*/none.ts`, `shared/*/log.ts`')).toEqual([
    'test/none.test.ts',
    'shared/*/none.ts',
  ]);
  expect(['DOMAIN', 2].join(' ')).toMatch(FOREIGN_CITATION);
});

async function missingPaths(text: string): Promise<string[]> {
  const missing: string[] = [];
  for (const [, path = ''] of text.matchAll(PATH)) {
    const { done } = await glob(path, { cwd: root }).next();
    if (done === true) missing.push(path);
  }
  return missing;
}

async function problemsIn(
  patterns: readonly string[],
  problemsOf: (file: string, text: string) => Promise<string[]>,
): Promise<string[]> {
  const problems: string[] = [];
  for await (const file of glob(patterns, { cwd: root, exclude: (name) => name.includes('node_modules') })) {
    const found = await problemsOf(file, await readFile(join(root, file), 'utf8'));
    problems.push(...found.map((problem) => `${file}: ${problem}`));
  }
  return problems;
}

async function brokenLinksOfPage(file: string, text: string): Promise<string[]> {
  const targets = [...withoutCode(text).matchAll(MARKDOWN_LINK)].map(([, target = '']) => target);
  const local = targets.filter((target) => !/^[a-z]+:/.test(target));
  return broken(local, (path) => (path === '' ? file : normalize(join(dirname(file), path))));
}

function brokenLinksOfCode(_: string, text: string): Promise<string[]> {
  return broken(
    [...text.matchAll(LINK_IN_CODE)].map(([target]) => target),
    (path) => path,
  );
}

/** The targets whose file, or whose heading in it, does not exist. */
async function broken(targets: readonly string[], fileOf: (path: string) => string): Promise<string[]> {
  const problems: string[] = [];
  for (const target of targets) {
    const [path = '', anchor] = target.split('#');
    const file = join(root, fileOf(path));
    if (!existsSync(file) || (anchor !== undefined && !(await anchorsOf(file)).has(anchor)))
      problems.push(target);
  }
  return problems;
}

/** The anchors that GitHub gives to the headings of a page. */
async function anchorsOf(file: string): Promise<ReadonlySet<string>> {
  const text = withoutCode(await readFile(file, 'utf8'));
  return new Set(
    [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function withoutCode(text: string): string {
  return text.replaceAll(/^ *```[^]*?^ *```/gm, '');
}
