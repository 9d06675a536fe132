/** `ops batch …`: batches of consumed topics that cannot be read. */
import { Argument, type Command } from 'commander';
import { parseOffset, parsePartition } from '../arguments.ts';
import { listBatches, showBatch, skipBatch } from '../batches.ts';
import type { Invocation } from '../command-line.ts';
import { consumedTopics, type ConsumedTopic } from '../../../shared/kafka/topics.ts';

/** Adds `batch list`, `show` and `skip` to the program. */
export function addBatches(program: Command, { context, output }: Invocation): void {
  const batch = program.command('batch').description('batches of consumed topics that cannot be read');
  batch
    .command('list')
    .description('those at which partitions are stopped, and those that were skipped')
    .action(() => listBatches(context, output()));
  const topic = () => new Argument('<topic>', 'consumed topic').choices(consumedTopics);
  const partition = () => new Argument('<partition>', 'its partition').argParser(parsePartition);
  batch
    .command('show')
    .description('the batch at which a partition is stopped: its header, never a key or a value')
    .addArgument(topic())
    .addArgument(partition())
    .action((name: ConsumedTopic, number: number) =>
      showBatch(context, output(), { topic: name, partition: number }),
    );
  batch
    .command('skip')
    .description('let the worker skip exactly that batch; its messages are never applied')
    .addArgument(topic())
    .addArgument(partition())
    .requiredOption('--from <offset>', 'the offset at which the partition is stopped', parseOffset)
    .option('--to <offset>', 'its last offset, when its header does not give it', parseOffset)
    .option('--apply', 'do it; without this the command only shows what it would do')
    .action(
      (
        name: ConsumedTopic,
        number: number,
        { from, to, apply = false }: { from: bigint; to?: bigint; apply?: boolean },
      ) => skipBatch(context, output(), { topic: name, partition: number }, { from, to, apply }),
    );
}
