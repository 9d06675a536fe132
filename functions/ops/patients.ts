/** `ops patient`: what is stored about one person. */
import { once } from 'node:events';
import type { PatientId } from '../../shared/patient/schema.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { createLog } from '../../shared/platform/log.ts';
import { exportPatient, keptDaysVariables } from '../../shared/store/patient-export.ts';
import type { Context } from './context.ts';
import type { Streams } from './output.ts';

/**
 * Writes everything that is stored about the person as one JSON document, page by page.
 * @throws ServiceError `patient.not_found`, `store.*`: what was written until then is no JSON
 */
export async function writeExport(context: Context, { out }: Streams, id: PatientId): Promise<void> {
  const pieces = await exportPatient(
    await context.db(),
    id,
    systemClock(),
    await context.config(keptDaysVariables),
  );
  // Standard output belongs to the document.
  const log = createLog({ service: 'ops', project: '', destination: process.stderr });
  log.record('audit', {
    actor: context.operator,
    role: 'operator',
    method: 'ops',
    route: 'patient export',
    outcome: 'answered',
    patient_id: id,
    patient_ids: [id],
  });
  for await (const piece of pieces) if (!out.write(piece)) await once(out, 'drain');
}
