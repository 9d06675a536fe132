/**
 * The operators' command line as a whole: how it starts, refuses and ends. `commands/` holds the options of each group of
 * commands; the modules beside this one do the work.
 */
import { Command } from 'commander';
import { isServiceError } from '../../shared/platform/errors.ts';
import { createLog, type Log } from '../../shared/platform/log.ts';
import { NoSuchBatch, UnclearEnd } from './batches.ts';
import { exitCodes, type Invocation } from './command-line.ts';
import { addBatches } from './commands/batches.ts';
import { addDeadLetters } from './commands/dead-letters.ts';
import { addImports } from './commands/imports.ts';
import { addPatients } from './commands/patients.ts';
import { addQueues } from './commands/queues.ts';
import { addRestore } from './commands/restore.ts';
import { createAudit } from './audit.ts';
import { openContext, type Context, type Environment } from './context.ts';
import { UnknownPlace } from './dead-letters.ts';
import { UndeletableFile, UnknownFile } from './imports.ts';
import { EndedEarly, Interrupted } from './interruption.ts';
import { createOutput, type Streams } from './output.ts';
import { NothingLeft } from './verify.ts';

/** Listed in the order of `ops --help`. */
const groups = [addDeadLetters, addQueues, addImports, addBatches, addPatients, addRestore];

/** Whether a command, named like `dlq list`, may run with these options. */
export type MayRun = (command: string, options: Readonly<Record<string, unknown>>) => boolean;

export interface Caller {
  /** Called after the command line is parsed and before the command does anything. */
  readonly mayRun?: MayRun;
  /** Who runs the command, for the audit trail. */
  readonly operator?: string;
  /** Where the audit trail goes. */
  readonly log?: Log;
  /** Aborted to stop the command: a long one ends after the current step and says how to continue. */
  readonly signal?: AbortSignal;
}

/** Runs one command line. On an operator's own machine the audit trail goes to standard error, unless that is a terminal. @returns the exit code */
export async function runOps(
  args: readonly string[],
  environment: Environment,
  streams: Streams,
  {
    mayRun = () => true,
    operator = 'local operator',
    log = localLog(streams),
    signal = new AbortController().signal,
  }: Caller = {},
): Promise<number> {
  let route = 'help';
  const audit = createAudit(log, operator, () => route);
  const context = openContext(environment, audit, signal);
  let code = 0;
  try {
    const program = commandLine(context, streams, (outcome) => (code = outcome));
    program.hook('preAction', (_, command) => {
      route = nameOf(command);
      if (!mayRun(route, command.opts())) throw new RefusedCommand(route);
    });
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return explain(error, streams);
  } finally {
    await context.close();
  }
}

/** Nothing keeps what a terminal shows, so there the answer stands alone. */
function localLog({ err }: Streams): Log {
  const destination = err.isTTY === true ? { write: () => undefined } : err;
  return createLog({ service: 'ops', project: '', destination });
}

function explain(error: unknown, { err }: Streams): number {
  if (isCommanderError(error)) return error.exitCode === 0 ? 0 : exitCodes.usage;
  err.write(`${error instanceof Error ? error.message : 'Something went wrong'}\n`);
  return exitCodeOf(error instanceof EndedEarly ? error.cause : error);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return exitCodes.interrupted;
  if (error instanceof UnknownPlace || error instanceof UnknownFile || error instanceof NoSuchBatch)
    return exitCodes.notFound;
  if (error instanceof UnclearEnd || error instanceof UndeletableFile || error instanceof NothingLeft)
    return exitCodes.usage;
  if (isServiceError(error, 'patient.not_found')) return exitCodes.notFound;
  if (error instanceof RefusedCommand || isServiceError(error, 'config.invalid')) return exitCodes.usage;
  return exitCodes.unavailable;
}

/** `dlq list`, without the program's own name. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent === null || parent.parent === null ? command.name() : `${nameOf(parent)} ${command.name()}`;
}

class RefusedCommand extends Error {
  constructor(name: string) {
    super(`\`${name}\` changes something or shows personal data: ask ops-write (OPS=write).`);
  }
}

function isCommanderError(error: unknown): error is { exitCode: number } {
  return String((error as { code?: unknown } | null)?.code).startsWith('commander.');
}

const examples = `
Examples:
  ops dlq list --error event.invalid_payload
  ops dlq show communication:3:17 --value
  ops dlq replay --topic communication --since 2026-11-24T08:00:00Z --dry-run
  ops dlq drop communication:3:17 communication:3:21
  ops republish --patient 4711
  ops republish --all --after 4711 --rate 50
  ops import delete RECORD --apply
  ops batch skip communication 3 --from 17 --apply
  ops search rebuild
  ops patient export 4711 > export.json
  ops verify --json
  ops verify --after 2
  ops restore fence
  ops retention preview --unpaid 180

Exit codes: 0 done, 1 verify or restore fence found a difference or a replay left letters, 2 usage or configuration, 3 a dependency is not
reachable, 4 no such dead letter, batch, file or patient, 130 interrupted.

Long commands show their progress on standard error, except with --json. Ctrl-C ends them after the current step, and they say how to
continue.`;

function commandLine(context: Context, streams: Streams, finish: (code: number) => void): Command {
  const program = new Command('ops')
    .description('Inspect and repair the running patient service: Kafka, imports, outbox, search and restore')
    .option('--json', 'answer with JSON for programs')
    .addHelpText('after', examples)
    .configureOutput({
      writeOut: (text) => void streams.out.write(text),
      writeErr: (text) => void streams.err.write(text),
    })
    .exitOverride()
    .showHelpAfterError('(ops --help shows examples)');
  const invocation: Invocation = {
    context,
    streams,
    finish,
    output: () => createOutput(program.opts<{ json?: true }>().json === true, streams),
  };
  for (const add of groups) add(program, invocation);
  return program;
}
