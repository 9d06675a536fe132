/**
 * `ops verify`: reconciles Firestore with the topic, reading both completely. Every patient's last event must be
 * published or wait in the outbox, and the topic must keep the laws of `sequence`.
 */
import { patientsWithEvents } from '../../shared/store/outbox-backlog.ts';
import { countPatients, scanPatients } from '../../shared/store/patient-scan.ts';
import type { Context } from './context.ts';
import { resumable } from './interruption.ts';
import { counted, type Output } from './output.ts';
import { readPublished } from './published.ts';
import { createReconciler, type Reconciliation } from '../../shared/events/reconcile.ts';

/** @returns true when Firestore and the topic agree */
export async function verify(context: Context, output: Output): Promise<boolean> {
  const result = await resumable(
    () => reconcile(context, output),
    () => 'Nothing was changed. Run the command again: it starts over.',
  );
  const { findings, ...counts } = result;
  context.audit('answered', { patientIds: findings.map(({ patientId }) => patientId) });
  if (findings.length > 0) {
    output.table(
      ['patient', 'problem', 'sequence'],
      findings.map(({ patientId, problem, sequence }) => [patientId, problem, sequence]),
    );
  } else {
    output.fields({ ...counts, findings: 0 });
  }
  const extent = `${counted(counts.patients, 'patient')}, ${counted(counts.events, 'event')}`;
  output.say(
    findings.length === 0
      ? `Firestore and the topic agree: ${extent}.`
      : `${counted(findings.length, 'finding')}: ${extent}.`,
    findings.length === 0 ? 'good' : 'bad',
  );
  return findings.length === 0;
}

/**
 * The order of reading makes the comparison safe: an event that Firestore shows first is in the outbox, which is read
 * next, or has left it for the topic, which is read last.
 */
async function reconcile(context: Context, output: Output): Promise<Reconciliation> {
  const db = await context.db();
  const stored = new Map<number, number>();
  await output.during({ what: 'reading the patients', total: await countPatients(db) }, async (progress) => {
    for await (const { id, sequence } of scanPatients(db)) {
      context.signal.throwIfAborted();
      stored.set(id, sequence);
      progress.to(stored.size);
    }
  });
  const pending = await patientsWithEvents(db);
  context.signal.throwIfAborted();
  const { names } = await context.kafka();
  const ranges = await (await context.admin()).ranges(names.topics.patients);
  const reconciler = createReconciler([...ranges.values()].every(({ low }) => low === 0n));
  await readPublished(context, output, (event) => reconciler.add(event));
  return reconciler.conclude(stored, pending);
}
