/** `ops import …`: registration files. */
import { Option, type Command } from 'commander';
import { IMPORT_OUTCOMES } from '../../../shared/store/import-statistics.ts';
import type { ImportRecord } from '../../../shared/store/imports.ts';
import { parseCount } from '../arguments.ts';
import type { Invocation } from '../command-line.ts';
import { deleteImport, listImports, listWaiting, retryImports, showImport } from '../imports.ts';

/** Adds `import list`, `show`, `waiting`, `retry` and `delete` to the program. */
export function addImports(program: Command, { context, output }: Invocation): void {
  const imports = program.command('import').description('registration files');
  imports
    .command('list')
    .description('the latest imports')
    .addOption(new Option('--outcome <outcome>', 'only with this outcome').choices(IMPORT_OUTCOMES))
    .option('--limit <n>', 'how many to look at', parseCount, 50)
    .action((options: { outcome?: ImportRecord['outcome']; limit: number }) =>
      listImports(context, output(), options),
    );
  imports
    .command('show <record>')
    .description('the outcome of one file, and the rules it breaks')
    .action((record: string) => showImport(context, output(), record));
  imports
    .command('waiting')
    .description('the files waiting in incoming/ and for how long, without names')
    .action(() => listWaiting(context, output()));
  imports
    .command('retry <file...>')
    .description('send failed files through the import again, by record id or path below failed/')
    .action((files: string[]) => retryImports(context, output(), files));
  imports
    .command('delete <record>')
    .description('remove a failed file for good, with its violations and its record')
    .option('--apply', 'do it; without this the command only shows what it would do')
    .action((record: string, { apply = false }: { apply?: boolean }) =>
      deleteImport(context, output(), record, apply),
    );
}
