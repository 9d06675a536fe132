/** Says what is wrong with a command that a page shows, without running it: a name, an option or a file that does not exist. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { runOps } from '../../functions/ops/program.ts';
import { readOnly } from '../../functions/ops/service.ts';
import type { Command } from './shell-commands.ts';

const root = resolve(import.meta.dirname, '../..');
const fileExists = (path: string) => existsSync(join(root, path));
const textOf = (path: string) => readFileSync(join(root, path), 'utf8');

/** What a tool of ours is asked, or why not. Undefined: nothing is wrong. */
type Check = (command: Command) => string | undefined | Promise<string | undefined>;

const checks: Readonly<Record<string, Check>> = {
  npm: ({ args }) => npmProblem(args),
  npx: ({ args }) => npxProblem(args),
  ops: (command) => opsProblem(command.args, command),
  gcloud: ({ args, place }) => (isMention(place, args) ? undefined : gcloudProblem(args)),
  terraform: ({ args, place }) => (isMention(place, args) ? undefined : terraformProblem(args)),
};

/** A text may name the tool alone. */
const isMention = (place: Command['place'], args: readonly string[]) => place === 'text' && args.length === 0;

/** Tools of every machine, whose options are for their own manuals. */
const COMMON = new Set('cp curl echo head jq kcat local openssl printf sed sleep tr'.split(' '));

/** @param functions that the page or one that it links to defines */
export async function problemOf(
  command: Command,
  functions: ReadonlySet<string>,
): Promise<string | undefined> {
  const { name, place } = command;
  if (name === 'ops' && place === 'block' && !functions.has('ops'))
    return 'ops is defined neither here nor on a linked page';
  const check = checks[name];
  if (check !== undefined) return check(command);
  if (name.includes('/')) return scriptProblem(name, command.args);
  return functions.has(name) || COMMON.has(name) ? undefined : `${name} is no command that this test knows`;
}

const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Readonly<Record<string, string>> };

function npmProblem(args: readonly string[]): string | undefined | Promise<string | undefined> {
  const [verb = '', ...rest] = args;
  if (verb === 'ci' || verb === 'install') return undefined;
  const words = (verb === 'run' ? rest : args).filter((word) => word !== '--silent');
  const [script = '', ...given] = words;
  if (scripts[script] === undefined) return `package.json has no script ${script}`;
  const passed = given.slice(given.indexOf('--') + 1).filter((word) => word !== '…');
  if (given.length > 0 && !given.includes('--'))
    return `npm takes ${given.join(' ')} for itself: -- is missing`;
  if (script === 'ops') return opsProblem(passed);
  if (script === 'bench') return missingFile(passed.map((name) => `test/load/${name}.bench.ts`));
  if (script === 'drop') return missingFile(passed.filter((file) => !file.startsWith('FILE')));
  if (script === 'start') return unknownOption(passed, 'infra/local/start.ts');
  return undefined;
}

function npxProblem(args: readonly string[]): string | undefined {
  const [tool = '', ...rest] = args;
  if (!fileExists(`node_modules/.bin/${tool}`)) return `no package here brings ${tool}`;
  if (tool !== 'vitest') return undefined;
  const files = rest.filter((word) => word.endsWith('.ts'));
  const missing = missingFile(files);
  if (missing !== undefined) return missing;
  const title = rest[rest.indexOf('-t') + 1];
  const isThere = files.some((file) => textOf(file).includes(title ?? ''));
  return rest.includes('-t') && !isThere ? `no test is called ${title}` : undefined;
}

/** What stands for the reader's own value. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  CLASS: 'event.invalid_payload',
  ID: '4711',
  OFFSET: '17',
  PARTITION: '3',
  PLACE: 'communication:3:17',
  RECORD: '0'.repeat(64),
  TIME: '2026-11-24T08:00:00Z',
};

/** @param command given where production's services are asked: which of the two may run it */
async function opsProblem(args: readonly string[], command?: Command): Promise<string | undefined> {
  const written: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written.push(String(chunk));
      done();
    },
  });
  let known: string | undefined;
  let mayOnlyRead = true;
  const line = args.filter((word) => word !== '…').map((word) => PLACEHOLDERS[word] ?? word);
  if (line.length === 0) return undefined;
  const code = await runOps(
    line,
    {},
    { out: stream, err: stream },
    {
      mayRun: (name, options) => {
        known = name;
        mayOnlyRead = readOnly(name, options);
        return false;
      },
    },
  );
  const [complaint = ''] = written.join('').split('\n');
  // A text may speak of a command without its arguments.
  const isIncomplete = command?.place === 'text' && complaint.includes('missing required');
  if (known === undefined && code !== 0 && !isIncomplete) return complaint;
  if (command?.place !== 'block' || mayOnlyRead || command.environment['OPS'] === 'write') return undefined;
  return `${known} is refused by ops-read: OPS=write is missing`;
}

interface Tree {
  readonly commands: Readonly<Record<string, Tree>>;
  readonly flags: Readonly<Record<string, unknown>>;
}

/** The command tree that the Google Cloud CLI brings for its completion; undefined where it is not installed. */
export const gcloudTree = readGcloudTree();

function readGcloudTree(): Tree | undefined {
  const format = '--format=value(installation.sdk_root)';
  const { status, stdout } = spawnSync('gcloud', ['info', format], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const file = join(stdout.trim(), 'data/cli/gcloud_completions.py');
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  return JSON.parse(text.slice(text.indexOf('{'))) as Tree;
}

/** Options that came after version 528 of the CLI, which is what Debian's machines may have. */
const NEWER_OPTIONS = new Set(['beta run worker-pools update --instances', 'run services update --scaling']);

function gcloudProblem(args: readonly string[]): string | undefined {
  if (gcloudTree === undefined) return undefined;
  const path = [gcloudTree];
  const names: string[] = [];
  for (const word of args.filter((word) => !word.startsWith('--'))) {
    const { commands } = path.at(-1) ?? gcloudTree;
    if (Object.keys(commands).length === 0) break;
    const next = commands[word];
    if (next === undefined) return `gcloud has no command ${word} there`;
    path.push(next);
    names.push(word);
  }
  if (Object.keys(path.at(-1)?.commands ?? {}).length > 0) return 'gcloud wants a command behind it';
  const flags = args.filter((word) => word.startsWith('--')).map((word) => word.replace(/=.*$/s, ''));
  const unknown = flags.find(
    (flag) => !path.some((node) => flag in node.flags) && !NEWER_OPTIONS.has([...names, flag].join(' ')),
  );
  return unknown === undefined ? undefined : `gcloud has no option ${unknown} there`;
}

const TERRAFORM = new Set(['apply', 'force-unlock', 'init', 'output', 'plan', 'validate']);

function terraformProblem(args: readonly string[]): string | undefined {
  const [command = '', ...words] = args.filter((word) => !word.startsWith('-'));
  if (!TERRAFORM.has(command)) return `terraform has no command ${command}`;
  const files = args
    .map((word) => /^-var-file=(.*)$/.exec(word)?.[1])
    .filter((file) => file !== undefined && !file.includes('ENVIRONMENT'));
  const names = command === 'output' ? words : [];
  const unknown = names.find((name) => !textOf('infra/outputs.tf').includes(`output "${name}"`));
  return unknown === undefined
    ? missingFile(files.map((file) => `infra/${file}`))
    : `no output is called ${unknown}`;
}

function scriptProblem(path: string, args: readonly string[]): string | undefined {
  try {
    accessSync(join(root, path), constants.X_OK);
  } catch {
    return `${path} is no program here`;
  }
  const [, environment] = args;
  if (path.endsWith('bootstrap.sh') && environment !== undefined) {
    const missing = missingFile([`infra/environments/${environment}.tfvars`]);
    if (missing !== undefined) return missing;
  }
  return unknownOption(args, path);
}

function missingFile(paths: readonly string[]): string | undefined {
  const missing = paths.find((path) => !fileExists(path));
  return missing === undefined ? undefined : `${missing} does not exist`;
}

function unknownOption(args: readonly string[], program: string): string | undefined {
  const source = textOf(program);
  const unknown = args.find((word) => word.startsWith('--') && !source.includes(word));
  return unknown === undefined ? undefined : `${program} has no option ${unknown}`;
}
