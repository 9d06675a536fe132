/** `ops patient`: what is stored about one person. */
import { once } from 'node:events';
import type { PatientId } from '../../shared/patient/schema.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { exportPatient, keptDaysVariables } from '../../shared/store/patient-export.ts';
import { showProgress, silent, type Progress } from '../../shared/platform/progress.ts';
import type { Context } from './context.ts';
import { resumable } from './interruption.ts';
import type { Streams } from './output.ts';

/**
 * Writes everything that is stored about the person as one JSON document, page by page.
 * @throws ServiceError `patient.not_found`, `store.*`; what was written before a `store.*` error is not complete JSON
 */
export async function writeExport(context: Context, { out, err }: Streams, id: PatientId): Promise<void> {
  const pieces = await exportPatient(
    await context.db(),
    id,
    systemClock(),
    await context.config(keptDaysVariables),
  );
  context.audit('answered', { patientIds: [id] });
  const write = async (progress: Progress) => {
    let characters = 0;
    for await (const piece of pieces) {
      context.signal.throwIfAborted();
      if (!out.write(piece)) await once(out, 'drain');
      progress.to((characters += piece.length));
    }
  };
  const isDocumentApart = out !== err && out.isTTY !== true;
  await resumable(
    () => (isDocumentApart ? showProgress(err, { what: 'characters written' }, write) : write(silent)),
    () => 'The document is incomplete: run the command again.',
  );
}
