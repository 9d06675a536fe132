/** `ops search rebuild`: brings the search index of all patients up to date. Nothing is published. */
import type { PatientId } from '../../shared/patient/schema.ts';
import { countPatients, rebuildSearchIndex } from '../../shared/store/search-index.ts';
import type { Context } from './context.ts';
import { counted, progressBar, type Output } from './output.ts';

/** @param after continues a run that has ended behind this patient */
export async function rebuildSearch(
  context: Context,
  output: Output,
  after: PatientId | undefined,
): Promise<void> {
  const db = await context.db();
  const total = await countPatients(db);
  let [looked, rewritten] = [0, 0];
  let last = after;
  try {
    for await (const progress of rebuildSearchIndex(db, after)) {
      ({ looked, rewritten, last } = progress);
      output.progress(
        `${progressBar(looked, total)} ${looked} of ${counted(total, 'patient')}, ${rewritten} rewritten, last ${last}`,
      );
    }
  } catch (error) {
    output.progress('');
    if (last !== undefined) output.say(`Stopped. Continue with: ops search rebuild --after ${last}`, 'bad');
    throw error;
  }
  output.progress('');
  output.fields({ patients: looked, rewritten });
  output.say(
    `The search index of ${counted(looked, 'patient')} is up to date, ${rewritten} rewritten.`,
    'good',
  );
}
