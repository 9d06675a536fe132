/** `ops restore …`: after the database was put back from a backup. */
import type { Command } from 'commander';
import { parseTime } from '../arguments.ts';
import { exitCodes, type Invocation } from '../command-line.ts';
import { fence, rewind } from '../restore.ts';

/** Adds `restore fence` and `rewind` to the program. */
export function addRestore(program: Command, { context, output, finish }: Invocation): void {
  const restored = program.command('restore').description('after the database was put back from a backup');
  restored
    .command('fence')
    .description(
      'compare ids, event numbers and erasures with the topic and the ledger; the worker starts only when they are above',
    )
    .option('--apply', 'repair them and open the fence; without this nothing is changed')
    .action(async ({ apply = false }: { apply?: boolean }) => {
      if (!(await fence(context, output(), apply))) finish(exitCodes.amiss);
    });
  restored
    .command('rewind')
    .description('let the consumers read again the messages since the backup; the worker must be stopped')
    .requiredOption(
      '--since <time>',
      "the backup's time (RFC 3339); when in doubt, an earlier one",
      parseTime,
    )
    .action(({ since }: { since: string }) => rewind(context, output(), since));
}
