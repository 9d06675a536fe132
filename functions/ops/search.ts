/** `ops search rebuild`: brings the search index of all patients up to date. Nothing is published. */
import type { PatientId } from '../../shared/patient/schema.ts';
import { countPatients } from '../../shared/store/patient-scan.ts';
import { rebuildSearchIndex } from '../../shared/store/search-index.ts';
import type { Context } from './context.ts';
import { continueWith, doneUpTo, resumable } from './interruption.ts';
import { counted, type Output } from './output.ts';

/** @param after continues a run that ended after this patient */
export async function rebuildSearch(
  context: Context,
  output: Output,
  after: PatientId | undefined,
): Promise<void> {
  const db = await context.db();
  const total = await countPatients(db, after);
  let [looked, rewritten] = [0, 0];
  let last = after;
  const work = () =>
    output.during({ what: 'search index', total }, async (progress) => {
      for await (const reached of rebuildSearchIndex(db, after)) {
        ({ looked, rewritten, last } = reached);
        progress.to(looked, doneUpTo('patient', last));
        context.signal.throwIfAborted();
      }
    });
  await resumable(
    work,
    () => `${counted(looked, 'patient')} done. ${continueWith('search rebuild', { after: last })}`,
  );
  output.fields({ patients: looked, rewritten });
  output.say(
    `The search index of ${counted(looked, 'patient')} is up to date, ${rewritten} rewritten.`,
    'good',
  );
}
