/**
 * Every command that the README and the pages show exists, with its options, names and files. Those that a local stack can
 * run are run as well: test/e2e/examples.test.ts.
 */
import { glob, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gcloudTree, problemOf } from './command-checks.ts';
import { commandsIn } from './shell-commands.ts';

const root = resolve(import.meta.dirname, '../..');
const pages: string[] = [];
for await (const page of glob(['*.md', 'docs/**/*.md'], { cwd: root })) {
  // A command of an earlier day may be gone.
  if (page !== 'CHANGELOG.md') pages.push(page);
}
if (gcloudTree === undefined)
  console.warn('SKIPPED: gcloud commands of the pages, because the Google Cloud CLI is not installed.');

/** @param file below the repository, whose links are followed: a page may use the shell functions of those it names */
async function problemsIn(page: string, file = 'page.md'): Promise<string[]> {
  const { commands, functions, syntaxErrors } = commandsIn(page);
  const known = new Set([...functions, ...(await functionsOfLinked(page, file))]);
  const problems = [...syntaxErrors];
  for (const command of commands) {
    const problem = await problemOf(command, known);
    const shown = [command.name, ...command.args].join(' ');
    if (problem !== undefined) problems.push(`line ${command.line}: ${shown}: ${problem}`);
  }
  return problems;
}

async function functionsOfLinked(page: string, file: string): Promise<string[]> {
  const linked = [...page.matchAll(/\]\(([\w./-]+\.md)(?:#[\w-]+)?\)/g)].map(([, target = '']) =>
    join(root, dirname(file), target),
  );
  const texts = await Promise.all([...new Set(linked)].map((path) => readFile(path, 'utf8')));
  return texts.flatMap((text) => [...commandsIn(text).functions]);
}

const block = (script: string) => `text\n\n\`\`\`sh\n${script}\n\`\`\`\n`;
/** As the runbooks define it. */
const OPS = 'ops() { curl "$@"; }';

describe('the commands of', () => {
  it.each(pages)('%s exist', async (page) => {
    expect(await problemsIn(await readFile(join(root, page), 'utf8'), page)).toEqual([]);
  });
});

describe('a wrong command', () => {
  it.each([
    [block('npm run nosuch'), 'no script nosuch'],
    [block('npm ci && npm tset'), 'no script tset'],
    [block('npm start --keep'), '-- is missing'],
    [block('npm start -- --kepe'), 'no option --kepe'],
    [block('npm run bench -- nosuch'), 'test/load/nosuch.bench.ts'],
    [block('npm run drop -- test/fixtures/none.json'), 'none.json does not exist'],
    [block('npm run ops -- dlq lsit'), "unknown command 'lsit'"],
    [block('x=$(npm run ops -- verify --nosuch)'), "unknown option '--nosuch'"],
    [block('npx vitest run test/none.test.ts'), 'test/none.test.ts'],
    [block("npx vitest run shared/patient/change.test.ts -t 'no such title'"), 'no such title'],
    [block('npx nosuch'), 'no package here brings nosuch'],
    [block('ops verify'), 'ops is defined neither'],
    [block(`${OPS}\nops republish --all`), 'OPS=write is missing'],
    [block(`${OPS}\nops dlq show PLACE --value`), 'OPS=write is missing'],
    [block(`${OPS}\nOPS=write ops import retry`), "missing required argument 'file'"],
    [block('infra/deploy/nosuch.sh PROJECT dev'), 'no program'],
    [block('infra/deploy/bootstrap.sh PROJECT nosuch'), 'nosuch.tfvars'],
    [block('infra/deploy/bootstrap.sh PROJECT dev --nosuch'), 'no option --nosuch'],
    [block('terraform -chdir=infra paln'), 'no command paln'],
    [block('curl "$(terraform -chdir=infra output -raw nosuch_url)"'), 'nosuch_url'],
    [block('frobnicate --all'), 'frobnicate is no command'],
    [block('if true; then'), 'line 4'],
    ['say `ops dlq lsit` to\n', "unknown command 'lsit'"],
    ['say `npm run nosuch`\n', 'no script nosuch'],
  ])('is found in %j', async (page, problem) => {
    expect((await problemsIn(page)).join('\n')).toContain(problem);
  });

  it.skipIf(gcloudTree === undefined).each([
    ['gcloud run servcies list', 'no command servcies'],
    ['gcloud run services list --regoin=x', 'no option --regoin'],
    ['x=$(gcloud run services)', 'wants a command'],
  ])('is found in %s', async (script, problem) => {
    expect(await problemsIn(block(script))).toEqual([expect.stringContaining(problem)]);
  });
});
