/**
 * The operators' command line: names, options, help and exit codes. Each command's work stands in the module of
 * its name.
 */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { patientId } from '../../shared/patient/schema.ts';
import { isServiceError } from '../../shared/platform/errors.ts';
import type { ImportRecord } from '../../shared/store/imports.ts';
import { IMPORT_OUTCOMES } from '../../shared/store/import-statistics.ts';
import { listBatches, NoSuchBatch, showBatch, skipBatch, UnclearEnd } from './batches.ts';
import { openContext, type Context, type Environment } from './context.ts';
import {
  consumedTopics,
  handle,
  list,
  show,
  UnknownPlace,
  type ConsumedTopic,
  type Filter,
} from './dead-letters.ts';
import {
  deleteImport,
  listImports,
  listWaiting,
  retryImport,
  showImport,
  UndeletableFile,
  UnknownFile,
} from './imports.ts';
import { createOutput, type Output, type Streams } from './output.ts';
import { writeExport } from './patients.ts';
import { lag, outboxStatus } from './queues.ts';
import { republish } from './republish.ts';
import { previewRetention } from './retention.ts';
import { rebuildSearch } from './search.ts';
import { fence, rewind } from './restore.ts';
import { verify } from './verify.ts';

/** 0: done. The others are promises to scripts. */
const exitCodes = { amiss: 1, usage: 2, unavailable: 3, notFound: 4 } as const;

/** Whether a command, named like `dlq list`, may run with these options. */
export type MayRun = (command: string, options: Readonly<Record<string, unknown>>) => boolean;

/**
 * Runs one command line.
 * @param mayRun asked once the command line is understood and before the command does anything
 * @returns the exit code
 */
export async function runOps(
  args: readonly string[],
  environment: Environment,
  streams: Streams,
  mayRun: MayRun = () => true,
  operator = 'local operator',
): Promise<number> {
  const context = openContext(environment, operator);
  let code = 0;
  try {
    const program = commandLine(context, streams, (outcome) => (code = outcome));
    program.hook('preAction', (_, command) => {
      const name = nameOf(command);
      if (!mayRun(name, command.opts())) throw new RefusedCommand(name);
    });
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return explain(error, streams);
  } finally {
    await context.close();
  }
}

function explain(error: unknown, { err }: Streams): number {
  if (isCommanderError(error)) return error.exitCode === 0 ? 0 : exitCodes.usage;
  const message = error instanceof Error ? error.message : 'Something went wrong';
  err.write(`${message}\n`);
  if (error instanceof UnknownPlace || error instanceof UnknownFile || error instanceof NoSuchBatch)
    return exitCodes.notFound;
  if (error instanceof UnclearEnd || error instanceof UndeletableFile) return exitCodes.usage;
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
  ops import delete RECORD --apply
  ops batch skip communication 3 --from 17 --apply
  ops search rebuild
  ops patient export 4711 > export.json
  ops verify --json
  ops restore fence
  ops retention preview --unpaid 180

Exit codes: 0 done, 1 verify or restore fence found something amiss or a replay left something, 2 usage or configuration, 3 a dependency is not
reachable, 4 no such dead letter, batch, file or patient.`;

function commandLine(context: Context, streams: Streams, finish: (code: number) => void): Command {
  const program = new Command('ops')
    .description('Look into the Kafka side of the patient service, and mend it')
    .option('--json', 'answer with JSON for programs')
    .addHelpText('after', examples)
    .configureOutput({
      writeOut: (text) => void streams.out.write(text),
      writeErr: (text) => void streams.err.write(text),
    })
    .exitOverride()
    .showHelpAfterError('(ops --help shows examples)');
  const output = (): Output => createOutput(program.opts<{ json?: true }>().json === true, streams);

  addDeadLetters(program, context, output, finish);
  program
    .command('outbox')
    .description('what waits to leave the service')
    .command('status')
    .description('count and age of the entries, and when the relay last ran')
    .action(() => outboxStatus(context, output()));
  program
    .command('lag')
    .description('how far each consumer group is behind')
    .action(() => lag(context, output()));
  program
    .command('republish')
    .description("put a patient's state into the outbox once more, as patient.updated")
    .addOption(new Option('--patient <id>', 'one patient').argParser(readPatientId).conflicts('all'))
    .option('--all', 'every patient')
    .option('--dry-run', 'only count')
    .option('--rate <n>', 'at most so many patients a second', readRate)
    .action(async ({ patient, all, dryRun = false, rate }: RepublishOptions, command: Command) => {
      const whom = patient ?? (all === true ? 'all' : undefined);
      if (whom === undefined) command.error('error: name --patient <id> or --all');
      else await republish(context, output(), { patient: whom, dryRun, rate });
    });
  program
    .command('search')
    .description('the index of names and e-mail addresses')
    .command('rebuild')
    .description('bring it up to date for every patient; may be repeated, and publishes nothing')
    .addOption(new Option('--after <id>', 'continue behind this patient').argParser(readPatientId))
    .action(({ after }: { after?: ReturnType<typeof readPatientId> }) =>
      rebuildSearch(context, output(), after),
    );
  program
    .command('verify')
    .description(
      "reconcile Firestore with the topic: every patient's last event is there, nothing missing between",
    )
    .action(async () => finish((await verify(context, output())) ? 0 : exitCodes.amiss));
  program
    .command('patient')
    .description('what is stored about a person')
    .command('export')
    .description('all of it, as one JSON document')
    .addArgument(new Argument('<id>', 'patient').argParser(readPatientId))
    .action((id: ReturnType<typeof readPatientId>) => writeExport(context, streams, id));
  addImports(program, context, output);
  addBatches(program, context, output);
  addRestore(program, context, output, finish);
  addRetention(program, context, output);
  return program;
}

interface RepublishOptions {
  readonly patient?: ReturnType<typeof readPatientId>;
  readonly all?: true;
  readonly dryRun?: boolean;
  readonly rate?: number;
}

interface FilterOptions {
  readonly topic?: Filter['topic'];
  readonly error?: string;
  readonly since?: string;
}

interface HandlingOptions extends FilterOptions {
  readonly all?: true;
  readonly dryRun?: boolean;
  readonly rate?: number;
}

function addDeadLetters(
  program: Command,
  context: Context,
  output: () => Output,
  finish: (code: number) => void,
): void {
  const dlq = program.command('dlq').description('messages that could not be applied');
  const filtered = (command: Command) =>
    command
      .addOption(new Option('--topic <topic>', 'only of this topic').choices(consumedTopics))
      .option('--error <class>', 'only with this error class, such as event.invalid_payload')
      .option('--since <time>', 'only those that died at or after this time (RFC 3339)', readTime);
  filtered(dlq.command('list').description('all that are open')).action((options: FilterOptions) =>
    list(context, output(), filterOf(options)),
  );
  dlq
    .command('show <place>')
    .description('one of them: its reason')
    .option('--value', 'headers, key and value too; they may speak of a person')
    .action((place: string, { value = false }: { value?: boolean }) => show(context, output(), place, value));
  for (const [name, how, description] of [
    ['replay', 'replayed', 'send them to their topic again'],
    ['drop', 'dropped', 'give them up'],
  ] as const) {
    filtered(dlq.command(`${name} [place...]`).description(description))
      .option('--all', 'all that are open')
      .option('--dry-run', 'only show which')
      .option('--rate <n>', 'at most so many a second', readRate)
      .action(async (places: string[], options: HandlingOptions, command: Command) => {
        const { dryRun = false, rate, all = false } = options;
        const filter = filterOf(options, places);
        if (Object.keys(filter).length === 0 && !all && !dryRun)
          command.error('error: name places, a filter or --all');
        if (!(await handle(context, output(), filter, { how, dryRun, rate }))) finish(exitCodes.amiss);
      });
  }
}

function addImports(program: Command, context: Context, output: () => Output): void {
  const imports = program.command('import').description('registration files');
  imports
    .command('list')
    .description('the last imports')
    .addOption(new Option('--outcome <outcome>', 'only with this outcome').choices(IMPORT_OUTCOMES))
    .option('--limit <n>', 'how many to look at', readCount, 50)
    .action((options: { outcome?: ImportRecord['outcome']; limit: number }) =>
      listImports(context, output(), options),
    );
  imports
    .command('show <record>')
    .description('what became of one file, and which rules it breaks')
    .action((record: string) => showImport(context, output(), record));
  imports
    .command('waiting')
    .description('what lies in incoming/ and for how long, without names')
    .action(() => listWaiting(context, output()));
  imports
    .command('retry <file>')
    .description('send a failed file through the import again, by record id or path below failed/')
    .action((file: string) => retryImport(context, output(), file));
  imports
    .command('delete <record>')
    .description('remove a failed file for good, with its violations and its record')
    .option('--apply', 'do it; without this it is only shown')
    .action((record: string, { apply = false }: { apply?: boolean }) =>
      deleteImport(context, output(), record, apply),
    );
}

function addBatches(program: Command, context: Context, output: () => Output): void {
  const batch = program.command('batch').description('batches of consumed topics that cannot be read');
  batch
    .command('list')
    .description('those that partitions stand before, and those that were passed over')
    .action(() => listBatches(context, output()));
  const topic = () => new Argument('<topic>', 'consumed topic').choices(consumedTopics);
  const partition = () => new Argument('<partition>', 'its partition').argParser(readPartition);
  batch
    .command('show')
    .description('the one that a partition stands before: its header, never a key or a value')
    .addArgument(topic())
    .addArgument(partition())
    .action((name: ConsumedTopic, number: number) =>
      showBatch(context, output(), { topic: name, partition: number }),
    );
  batch
    .command('skip')
    .description('let the worker pass over exactly that batch; its messages are lost to us')
    .addArgument(topic())
    .addArgument(partition())
    .requiredOption('--from <offset>', 'where the partition stands', readOffset)
    .option('--to <offset>', 'its last offset, where the batch does not say it', readOffset)
    .option('--apply', 'do it; without this it is only shown')
    .action(
      (
        name: ConsumedTopic,
        number: number,
        { from, to, apply = false }: { from: bigint; to?: bigint; apply?: boolean },
      ) => skipBatch(context, output(), { topic: name, partition: number }, { from, to, apply }),
    );
}

function addRestore(
  program: Command,
  context: Context,
  output: () => Output,
  finish: (code: number) => void,
): void {
  const restored = program.command('restore').description('after the database was put back from a backup');
  restored
    .command('fence')
    .description(
      'compare ids, event numbers and erasures with the topic and the ledger; the worker starts only when they are above',
    )
    .option('--apply', 'mend them and open the fence; without it nothing is changed')
    .action(async ({ apply = false }: { apply?: boolean }) => {
      if (!(await fence(context, output(), apply))) finish(exitCodes.amiss);
    });
  restored
    .command('rewind')
    .description('let the consumers take in again what came since the backup; the worker must be stopped')
    .requiredOption('--since <time>', "the backup's time (RFC 3339), rather earlier than later", readTime)
    .action(({ since }: { since: string }) => rewind(context, output(), since));
}

function addRetention(program: Command, context: Context, output: () => Output): void {
  program
    .command('retention')
    .description('patients who are kept no longer')
    .command('preview')
    .description('whom the scheduled run would erase: ids, rule and due date')
    .option('--unpaid <days>', 'try this in place of RETENTION_UNPAID_DAYS', readDays)
    .option('--closed <days>', 'try this in place of RETENTION_CLOSED_DAYS', readDays)
    .action((tried: { unpaid?: number; closed?: number }) => previewRetention(context, output(), tried));
}

function filterOf({ topic, error, since }: FilterOptions, places: readonly string[] = []): Filter {
  return {
    ...(topic === undefined ? {} : { topic }),
    ...(error === undefined ? {} : { error }),
    ...(since === undefined ? {} : { since }),
    ...(places.length === 0 ? {} : { place: places }),
  };
}

function readPatientId(text: string) {
  const parsed = patientId.safeParse(/^\d+$/.test(text) ? Number(text) : undefined);
  if (!parsed.success) throw new InvalidArgumentError('It must be a patient id.');
  return parsed.data;
}

function readPartition(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It must be a number.');
  return Number(text);
}

function readOffset(text: string): bigint {
  if (!/^\d{1,19}$/.test(text)) throw new InvalidArgumentError('It must be an offset.');
  return BigInt(text);
}

function readDays(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('It must be a number of days.');
  return Number(text);
}

function readRate(text: string): number {
  const rate = Number(text);
  if (!(rate > 0 && rate <= 100_000)) throw new InvalidArgumentError('It must be a number above 0.');
  return rate;
}

function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 1_000) {
    throw new InvalidArgumentError('It must be from 1 to 1000.');
  }
  return count;
}

function readTime(text: string): string {
  if (Number.isNaN(Date.parse(text)))
    throw new InvalidArgumentError('It must be a time like 2026-11-24T08:00:00Z.');
  return text;
}
