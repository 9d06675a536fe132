/**
 * `ops verify`: reconciles Firestore with the topic, reading both completely. Every patient's last event must be
 * published or wait in the outbox, and the topic must keep the laws of `sequence`.
 *
 * All events of a patient are in one partition, so each partition has its own result: it is shown before the next one is
 * read, and a run that was ended continues after it.
 */
import { createReconciler, type Reconciliation } from '../../shared/events/reconcile.ts';
import { partitionOf } from '../../shared/kafka/kafkajs.ts';
import { patientsWithEvents } from '../../shared/store/outbox-backlog.ts';
import { countPatients, scanPatients } from '../../shared/store/patient-scan.ts';
import type { Context } from './context.ts';
import { continueWith, doneUpTo, resumable } from './interruption.ts';
import { counted, type Output } from './output.ts';
import { readPublished } from './published.ts';

/** All partitions of the topic come before the one after which to begin. */
export class NothingLeft extends Error {}

/**
 * @param after continues a run that ended after this partition
 * @returns true when Firestore and the topic agree in the partitions that were read
 * @throws NothingLeft; EndedEarly
 */
export async function verify(context: Context, output: Output, after: number | undefined): Promise<boolean> {
  const first = (after ?? -1) + 1;
  const sums = { partitions: 0, patients: 0, events: 0, repeats: 0, waiting: 0, findings: 0 };
  const howToGoOn = () => {
    const last = sums.partitions === 0 ? after : first + sums.partitions - 1;
    return `${counted(sums.partitions, 'partition')} checked. ${continueWith('verify', { after: last })}`;
  };
  const partitions = await resumable(() => countPartitions(context), howToGoOn);
  if (first >= partitions) throw new NothingLeft(`The last partition of the topic is ${partitions - 1}.`);
  const found = output.tableInParts(['patient', 'problem', 'sequence']);
  const work = async () => {
    for await (const { findings, ...counts } of reconcile(context, output, first, partitions)) {
      context.audit('answered', { patientIds: findings.map(({ patientId }) => patientId) });
      found.add(findings.map(({ patientId, problem, sequence }) => [patientId, problem, sequence]));
      sums.partitions += 1;
      sums.findings += findings.length;
      for (const name of ['patients', 'events', 'repeats', 'waiting'] as const) sums[name] += counts[name];
    }
  };
  try {
    await resumable(work, howToGoOn);
  } finally {
    found.end();
  }
  if (sums.findings === 0) output.fields(sums);
  const extent = `${counted(sums.patients, 'patient')}, ${counted(sums.events, 'event')}`;
  const where = first === 0 ? '' : ` from partition ${first} on`;
  output.say(
    sums.findings === 0
      ? `Firestore and the topic agree${where}: ${extent}.`
      : `${counted(sums.findings, 'finding')}${where}: ${extent}.`,
    sums.findings === 0 ? 'good' : 'bad',
  );
  if (first > 0)
    output.say(`Partitions up to ${after} were left out: their result is that of the earlier run.`);
  return sums.findings === 0;
}

async function countPartitions(context: Context): Promise<number> {
  context.signal.throwIfAborted();
  const { names } = await context.kafka();
  return (await (await context.admin()).ranges(names.topics.patients)).size;
}

/**
 * One result for each partition. The order of reading makes the comparison safe: an event that Firestore shows first is in
 * the outbox, which is read next, or has left it for the topic, which is read last.
 */
async function* reconcile(
  context: Context,
  output: Output,
  first: number,
  partitions: number,
): AsyncGenerator<Reconciliation> {
  const placeBefore = (partition: number) =>
    doneUpTo('partition', partition === 0 ? undefined : partition - 1);
  const db = await context.db();
  const { names } = await context.kafka();
  const admin = await context.admin();
  const stored = Array.from({ length: partitions }, () => new Map<number, number>());
  let read = 0;
  await output.during({ what: 'reading the patients', total: await countPatients(db) }, async (progress) => {
    for await (const { id, sequence } of scanPatients(db)) {
      context.signal.throwIfAborted();
      stored[partitionOf(String(id), partitions)]?.set(id, sequence);
      progress.to((read += 1), placeBefore(first));
    }
  });
  const pending = await patientsWithEvents(db);
  for (let partition = first; partition < partitions; partition += 1) {
    context.signal.throwIfAborted();
    const ranges = await admin.ranges(names.topics.patients);
    const reconciler = createReconciler(ranges.get(partition)?.low === 0n);
    const part = { partition, place: placeBefore(partition) };
    await readPublished(context, output, (event) => reconciler.add(event), part);
    yield reconciler.conclude(stored[partition] ?? new Map<number, number>(), pending);
  }
}
