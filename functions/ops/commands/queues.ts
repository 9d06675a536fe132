/** Commands about messages in transit: `ops outbox …`, `lag`, `verify`. */
import { Option, type Command } from 'commander';
import { parsePartition } from '../arguments.ts';
import { exitCodes, type Invocation } from '../command-line.ts';
import { lag, outboxStatus } from '../queues.ts';
import { verify } from '../verify.ts';

/** Adds `outbox status`, `lag` and `verify` to the program. */
export function addQueues(program: Command, { context, output, finish }: Invocation): void {
  program
    .command('outbox')
    .description('events and mails waiting to leave the service')
    .command('status')
    .description('count and age of the entries, and when the relay last ran')
    .action(() => outboxStatus(context, output()));
  program
    .command('lag')
    .description('how many messages each consumer group is behind')
    .action(() => lag(context, output()));
  program
    .command('verify')
    .description(
      "reconcile Firestore with the topic: every patient's last event is there, nothing missing between",
    )
    .addOption(
      new Option('--after <partition>', 'continue after this partition of the topic').argParser(
        parsePartition,
      ),
    )
    .action(async ({ after }: { after?: number }) =>
      finish((await verify(context, output(), after)) ? 0 : exitCodes.amiss),
    );
}
