/** Commands about messages in transit: `ops outbox …`, `lag`, `verify`. */
import type { Command } from 'commander';
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
    .action(async () => finish((await verify(context, output())) ? 0 : exitCodes.amiss));
}
