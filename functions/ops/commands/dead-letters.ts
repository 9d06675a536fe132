/** `ops dlq …`: messages that could not be applied. */
import { Option, type Command } from 'commander';
import { parseRate, parseTime } from '../arguments.ts';
import { exitCodes, type Invocation } from '../command-line.ts';
import { consumedTopics } from '../../../shared/kafka/topics.ts';
import { handle, list, show, type Filter } from '../dead-letters.ts';

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

/** Adds `dlq list`, `show`, `replay` and `drop` to the program. */
export function addDeadLetters(program: Command, { context, output, finish }: Invocation): void {
  const dlq = program.command('dlq').description('messages that could not be applied');
  const filtered = (command: Command) =>
    command
      .addOption(new Option('--topic <topic>', 'only those of this topic').choices(consumedTopics))
      .option('--error <class>', 'only those with this error class, such as event.invalid_payload')
      .option('--since <time>', 'only those dead-lettered at or after this time (RFC 3339)', parseTime);
  filtered(dlq.command('list').description('all that are open')).action((options: FilterOptions) =>
    list(context, output(), filterOf(options)),
  );
  dlq
    .command('show <place>')
    .description('one of them: its reason')
    .option('--value', 'headers, key and value too; they may hold personal data')
    .action((place: string, { value = false }: { value?: boolean }) => show(context, output(), place, value));
  for (const [name, how, description] of [
    ['replay', 'replayed', 'send them to their topic again'],
    ['drop', 'dropped', 'mark them as resolved without applying them'],
  ] as const) {
    filtered(dlq.command(`${name} [place...]`).description(description))
      .option('--all', 'all that are open')
      .option('--dry-run', 'only show which ones')
      .option('--rate <n>', 'at most N a second', parseRate)
      .action(async (places: string[], options: HandlingOptions, command: Command) => {
        const { dryRun = false, rate, all = false } = options;
        const filter = filterOf(options, places);
        if (Object.keys(filter).length === 0 && !all && !dryRun)
          command.error('error: name places, a filter or --all');
        if (!(await handle(context, output(), filter, { how, dryRun, rate }))) finish(exitCodes.amiss);
      });
  }
}

function filterOf({ topic, error, since }: FilterOptions, places: readonly string[] = []): Filter {
  return {
    ...(topic === undefined ? {} : { topic }),
    ...(error === undefined ? {} : { error }),
    ...(since === undefined ? {} : { since }),
    ...(places.length === 0 ? {} : { place: places }),
  };
}
