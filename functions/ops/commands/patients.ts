/** Commands about stored patients: `ops patient …`, `republish`, `search …`, `retention …`. */
import { Argument, Option, type Command } from 'commander';
import type { PatientId } from '../../../shared/patient/schema.ts';
import { parseDays, parsePatientId, parseRate } from '../arguments.ts';
import type { Invocation } from '../command-line.ts';
import { writeExport } from '../patients.ts';
import { republish } from '../republish.ts';
import { previewRetention } from '../retention.ts';
import { rebuildSearch } from '../search.ts';

interface RepublishOptions {
  readonly patient?: PatientId;
  readonly all?: true;
  readonly after?: PatientId;
  readonly dryRun?: boolean;
  readonly rate?: number;
}

/** Adds `patient export`, `republish`, `search rebuild` and `retention preview` to the program. */
export function addPatients(program: Command, { context, streams, output }: Invocation): void {
  program
    .command('patient')
    .description('what is stored about a person')
    .command('export')
    .description('all of it, as one JSON document')
    .addArgument(new Argument('<id>', 'patient').argParser(parsePatientId))
    .action((id: PatientId) => writeExport(context, streams, id));
  program
    .command('republish')
    .description("publish a patient's current state again, as patient.updated")
    .addOption(new Option('--patient <id>', 'one patient').argParser(parsePatientId).conflicts('all'))
    .option('--all', 'every patient')
    .addOption(
      new Option('--after <id>', 'with --all: continue after this patient')
        .argParser(parsePatientId)
        .conflicts('patient'),
    )
    .option('--dry-run', 'only count')
    .option('--rate <n>', 'at most N patients a second', parseRate)
    .action(async ({ patient, all, after, dryRun = false, rate }: RepublishOptions, command: Command) => {
      const whom = patient ?? (all === true ? 'all' : undefined);
      if (whom === undefined) command.error('error: name --patient <id> or --all');
      else await republish(context, output(), { patient: whom, after, dryRun, rate });
    });
  program
    .command('search')
    .description('the index of names and e-mail addresses')
    .command('rebuild')
    .description('bring it up to date for every patient; may be repeated, and publishes nothing')
    .addOption(new Option('--after <id>', 'continue after this patient').argParser(parsePatientId))
    .action(({ after }: { after?: PatientId }) => rebuildSearch(context, output(), after));
  program
    .command('retention')
    .description('patients whose retention has ended')
    .command('preview')
    .description('patients whom the scheduled run would erase: ids, rule and due date')
    .option('--unpaid <days>', 'use this instead of RETENTION_UNPAID_DAYS', parseDays)
    .option('--closed <days>', 'use this instead of RETENTION_CLOSED_DAYS', parseDays)
    .action((tried: { unpaid?: number; closed?: number }) => previewRetention(context, output(), tried));
}
