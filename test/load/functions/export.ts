/**
 * Exports one patient and discards the output: `node --expose-gc export.ts PROJECT ID`. Its last line gives the document's
 * length, and the peak heap after garbage collection when a piece was made.
 */
import { patientId } from '../../../shared/patient/schema.ts';
import { readConfig } from '../../../shared/platform/config.ts';
import { systemClock } from '../../../shared/platform/system-clock.ts';
import { connectFirestore } from '../../../shared/store/firestore.ts';
import { exportPatient, keptDaysVariables } from '../../../shared/store/patient-export.ts';

const [project = '', id] = process.argv.slice(2);
const db = connectFirestore({ GOOGLE_CLOUD_PROJECT: project });
const kept = await readConfig(keptDaysVariables);
let bytes = 0;
let heldBytes = 0;
for await (const piece of await exportPatient(db, patientId.parse(Number(id)), systemClock(), kept)) {
  bytes += Buffer.byteLength(piece);
  globalThis.gc?.();
  heldBytes = Math.max(heldBytes, process.memoryUsage().heapUsed);
}
await db.terminate();
console.log(JSON.stringify({ bytes, heldMiB: heldBytes / 1024 ** 2 }));
