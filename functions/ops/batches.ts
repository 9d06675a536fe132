/**
 * `ops batch`: the batches of consumed topics that no worker can read. Shows their headers, never a key or a value,
 * and skips them one at a time.
 */
import { codecName } from '../../shared/kafka/compression.ts';
import { UNREADABLE, type UnreadableReason } from '../../shared/kafka/record-batch.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import {
  decideToPass,
  knownBatches,
  type UnreadableBatchRecord,
} from '../../shared/store/unreadable-batches.ts';
import { consumedTopics, type ConsumedTopic } from '../../shared/kafka/topics.ts';
import type { Context } from './context.ts';
import type { Output } from './output.ts';

export async function listBatches(context: Context, output: Output): Promise<void> {
  const batches = await all(context);
  output.table(
    ['topic', 'partition', 'from', 'to', 'state', 'reason', 'found_at', 'decided_at', 'ended_at'],
    batches.map(({ name, batch }) => [
      name,
      batch.partition,
      batch.offset,
      batch.last_offset ?? batch.pass_to,
      stateOf(batch),
      reasonOf(batch),
      batch.found_at,
      batch.decided_at,
      batch.ended_at,
    ]),
  );
  const standing = batches.filter(({ batch }) => batch.state === 'standing').length;
  output.say(
    standing === 0 ? 'No partition is stopped at an unreadable batch.' : `Stopped partitions: ${standing}.`,
  );
}

export async function showBatch(context: Context, output: Output, at: Place): Promise<void> {
  const batch = await standingAt(context, at);
  const { header } = batch;
  output.fields({
    topic: batch.topic,
    partition: batch.partition,
    group: batch.group,
    stands_at: batch.offset,
    last_offset: batch.last_offset,
    reason: reasonOf(batch),
    found_at: batch.found_at,
    passed_over_to: batch.pass_to,
    ...(header === null
      ? {}
      : {
          base_offset: header.base_offset,
          bytes: header.bytes,
          magic: header.magic,
          codec: codecName(header.codec) ?? `unknown (${header.codec})`,
          crc: header.crc.toString(16).padStart(8, '0'),
          records: header.records,
          first_timestamp: timeOf(header.first_timestamp),
          max_timestamp: timeOf(header.max_timestamp),
        }),
  });
}

/** @param apply false only shows which batch would be skipped */
export async function skipBatch(
  context: Context,
  output: Output,
  at: Place,
  { from, to, apply }: { readonly from: bigint; readonly to: bigint | undefined; readonly apply: boolean },
): Promise<void> {
  const batch = await standingAt(context, at);
  if (batch.offset !== from.toString())
    throw new NoSuchBatch(`The partition is stopped at offset ${batch.offset}, not at ${from}.`);
  const last = batch.last_offset === null ? undefined : BigInt(batch.last_offset);
  const end = to ?? last;
  if (end === undefined)
    throw new UnclearEnd('The header of the batch does not give its last offset: name it with --to.');
  if (end < from) throw new UnclearEnd('--to is before --from.');
  if (last !== undefined && end !== last)
    throw new UnclearEnd(`The batch ends at offset ${last}: leave out --to.`);
  if (apply && !(await decideToPass(await context.db(), batch, end, systemClock()))) {
    throw new NoSuchBatch('The partition has moved on in the meantime.');
  }
  output.fields({
    topic: batch.topic,
    partition: batch.partition,
    from: from.toString(),
    to: end.toString(),
    offsets: Number(end - from + 1n),
    outcome: apply ? 'will be passed over' : 'would be passed over',
  });
  output.say(
    apply ? 'The worker skips it within 10 seconds.' : 'Nothing was changed; run it again with --apply.',
  );
}

export interface Place {
  readonly topic: ConsumedTopic;
  readonly partition: number;
}

/** The partition is not stopped at an unreadable batch. */
export class NoSuchBatch extends Error {}

/** The last offset of the batch is unknown, or differs from the one that the operator named. */
export class UnclearEnd extends Error {}

async function standingAt(context: Context, { topic, partition }: Place): Promise<UnreadableBatchRecord> {
  const found = (await all(context)).find(
    ({ name, batch }) => name === topic && batch.partition === partition && batch.state === 'standing',
  );
  if (found === undefined) {
    throw new NoSuchBatch(`Partition ${partition} of ${topic} is not stopped at an unreadable batch.`);
  }
  return found.batch;
}

async function all(context: Context): Promise<{ name: ConsumedTopic; batch: UnreadableBatchRecord }[]> {
  const { names } = await context.kafka();
  const db = await context.db();
  const known = await Promise.all(
    consumedTopics.map(async (name) =>
      (await knownBatches(db, names.groups[name])).map((batch) => ({ name, batch })),
    ),
  );
  return known.flat().sort((a, b) => a.batch.found_at.localeCompare(b.batch.found_at));
}

function stateOf({ state, pass_to }: UnreadableBatchRecord): string {
  return state === 'standing' && pass_to !== null ? 'to be passed over' : state;
}

function reasonOf({ reason }: UnreadableBatchRecord): string {
  return UNREADABLE[reason as UnreadableReason];
}

/** A damaged header may hold a time that `Date` cannot represent. */
function timeOf(milliseconds: number): string | null {
  const time = new Date(milliseconds);
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
}
