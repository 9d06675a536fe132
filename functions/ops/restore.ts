/**
 * `ops restore`: repairs a database that was restored from a backup, before anything may be published from it
 * (docs/runbooks/restore.md). `fence` raises its ids and numbers above everything ever published, and erases again the
 * patients whom the backup brought back; `rewind` lets the consumers read again the messages since the backup.
 */
import pLimit from 'p-limit';
import type { PatientId } from '../../shared/patient/schema.ts';
import { parseTimestamp, utcTimestamp } from '../../shared/platform/clock.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { createLog } from '../../shared/platform/log.ts';
import { listErased } from '../../shared/registration/erasure-ledger.ts';
import { erasePatient } from '../../shared/registration/erase-patient.ts';
import {
  readFence,
  releaseFence,
  type FenceDependencies,
  type FenceState,
} from '../../shared/registration/restore-fence.ts';
import { openErasures } from '../../shared/store/erasures.ts';
import { waitingEvents } from '../../shared/store/outbox-backlog.ts';
import { raiseNextId, readNextId } from '../../shared/store/patient-ids.ts';
import { countPatients, scanPatients } from '../../shared/store/patient-scan.ts';
import { repairPatient } from '../../shared/store/restored-patients.ts';
import { consumedTopics } from '../../shared/kafka/topics.ts';
import type { Context } from './context.ts';
import { bucketOf } from './imports.ts';
import { resumable } from './interruption.ts';
import { counted, type Output } from './output.ts';
import { readPublished } from './published.ts';
import { createSurvey, type Findings, type Survey } from './restore-survey.ts';

/** Margin above the highest known id: a process may hold ids in a block, or has given one whose event is not known yet. */
const ID_MARGIN = 10_000;
/** Margin for numbers: more events than a patient has in the days that the topic may have lost. */
const SEQUENCE_MARGIN = 1_000;
const MOST_JOBS = 1_000;
const AT_ONCE = 8;

interface Surveyed extends Findings {
  readonly survey: Survey;
  readonly nextId: number;
  /** Lower bound for `nextId`. */
  readonly safeId: number;
  readonly margin: number;
}

/** @returns false when a dry run has found something to do */
export async function fence(context: Context, output: Output, apply: boolean): Promise<boolean> {
  const deps = { db: await context.db(), bucket: await bucketOf(context), clock: systemClock };
  const state = await readFence(deps);
  const fenced = state.fault !== undefined;
  const orAgain = <T>(work: () => Promise<T>) =>
    resumable(work, () =>
      apply
        ? 'The fence stays closed until everything is repaired. Continue with: ops restore fence --apply'
        : 'Nothing was changed.',
    );
  const found = await orAgain(() => surveyAll(context, output, deps, state));
  const { behind, erased, lost, nextId, safeId, margin } = found;
  context.audit(apply ? 'changed' : 'answered', { patientIds: [...behind, ...erased, ...lost] });
  const repaired = apply
    ? await orAgain(() => repairAll(context, output, deps, found))
    : { removed: null, renumbered: null };
  if (apply && fenced) {
    const from = state.inside?.marked_at ?? null;
    await releaseFence(deps, { from, until: utcTimestamp(systemClock()) });
  }
  output.fields({
    applied: apply,
    fence: state.fault ?? 'open',
    snapshot_at: fenced ? (state.inside?.marked_at ?? null) : null,
    next_id: apply ? Math.max(nextId, safeId) : nextId,
    safe_id: safeId,
    behind: behind.length,
    events_removed: repaired.removed,
    events_renumbered: repaired.renumbered,
    sequence_margin: margin,
    erased_again: erased.join(' '),
    lost: lost.join(' '),
  });
  if (lost.length > 0)
    output.say(`${counted(lost.length, 'patient')} published, but not in the database.`, 'bad');
  const clean = !fenced && behind.length + erased.length === 0 && nextId >= safeId;
  if (clean) output.say('The fence is open, and nothing is behind the topic.', 'good');
  else if (apply) output.say('Everything is repaired and the fence is open: the worker may start.', 'good');
  else output.say('Nothing was changed: `ops restore fence --apply` repairs it.', 'bad');
  return apply || clean;
}

/** The order of reading matters: an event that waited first and is not in the topic, read later, was not published. */
async function surveyAll(
  context: Context,
  output: Output,
  { db, bucket }: FenceDependencies,
  { fault, inside }: FenceState,
): Promise<Surveyed> {
  const fenced = fault !== undefined;
  const ledger = new Set<number>();
  for await (const id of listErased(bucket)) ledger.add(id);
  const jobs = (await openErasures(db, MOST_JOBS)).map(({ patient_id }) => patient_id);
  const survey = createSurvey({ waiting: await waitingEvents(db), ledger, jobs, fenced });
  const reach = await readPublished(context, output, (event) => survey.addEvent(event));
  const snapshotAt = parseTimestamp(inside?.marked_at ?? '')?.epochMilliseconds;
  let read = 0;
  await output.during({ what: 'reading the patients', total: await countPatients(db) }, async (progress) => {
    for await (const { id, sequence } of scanPatients(db)) {
      context.signal.throwIfAborted();
      survey.addPatient(id, sequence);
      progress.to((read += 1));
    }
  });
  const margin = fenced && !survey.isCovered(reach, snapshotAt) ? SEQUENCE_MARGIN : 0;
  const findings = survey.conclude(margin > 0);
  const safeId = findings.highestId + 1 + (fenced ? ID_MARGIN : 0);
  return { ...findings, survey, nextId: await readNextId(db), safeId, margin };
}

/** Each step recognises the work of an interrupted run; the fence opens only after the last step. */
async function repairAll(
  context: Context,
  output: Output,
  deps: FenceDependencies,
  { survey, safeId, margin, behind, erased }: Surveyed,
): Promise<{ removed: number; renumbered: number }> {
  const sum = { removed: 0, renumbered: 0 };
  await raiseNextId(deps.db, safeId);
  const limit = pLimit(AT_ONCE);
  const log = createLog({ service: 'ops', project: '', destination: process.stderr, level: 'error' });
  const total = behind.length + erased.length;
  await output.during({ what: 'repairing', total }, async (progress) => {
    let done = 0;
    /** When the command is asked to stop, the current steps finish and no other begins. */
    const each = async (ids: readonly PatientId[], mend: (id: PatientId) => Promise<void>) => {
      await limit.map([...ids], async (id) => {
        if (context.signal.aborted) return;
        await mend(id);
        progress.to((done += 1));
      });
      context.signal.throwIfAborted();
    };
    await each(behind, async (id) => {
      const { removed, renumbered } = await repairPatient(deps.db, id, survey.publishedOf(id, margin));
      sum.removed += removed;
      sum.renumbered += renumbered;
    });
    await each(erased, async (id) => {
      await erasePatient({ ...deps, log }, id, {
        by: { actor: 'restore', role: 'service', method: 'ops', route: 'restore fence' },
        isAnnounced: survey.publishedOf(id, margin).deleted,
      });
    });
  });
  return sum;
}

/** An event whose effect is stored already is not applied again, so an earlier time is safe. */
export async function rewind(context: Context, output: Output, since: string): Promise<void> {
  const admin = await context.admin();
  const { names } = await context.kafka();
  for (const name of consumedTopics)
    await admin.rewind(names.groups[name], names.topics[name], Date.parse(since));
  output.table(
    ['group', 'topic', 'since'],
    consumedTopics.map((name) => [names.groups[name], names.topics[name], since]),
  );
  output.say('The consumers start from there when the worker starts.');
}
