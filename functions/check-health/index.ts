/** Entry point of check-health: reads the environment and exports the handler as a function. */
import { systemClock } from '../../shared/platform/system-clock.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { endOnUncaughtErrors } from '../../shared/platform/crash.ts';
import { createLog } from '../../shared/platform/log.ts';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { readOutsideMark } from '../../shared/registration/restore-fence.ts';
import { connectFirestore } from '../../shared/store/firestore.ts';
import { createPatientIds } from '../../shared/store/patient-ids.ts';
import { variableNames } from './config.ts';
import { gatherFacts, WARM_UP_MS } from './facts.ts';
import { createHandler } from './handler.ts';
import type { HealthDependencies } from './run.ts';

const config = await readConfig(variableNames);
const log = createLog({
  service: 'check-health',
  project: config.GOOGLE_CLOUD_PROJECT,
  level: config.LOG_LEVEL,
});
endOnUncaughtErrors(log);
const db = connectFirestore(config);
const bucket = connectBucket(config);
const deps: HealthDependencies = {
  db,
  bucket,
  allocatePatientId: createPatientIds(db, () => readOutsideMark(bucket)),
  clock: systemClock,
  log,
  mail: config,
  signature: { key: config.REGISTRATION_HMAC_KEY, environment: config.ENVIRONMENT },
  dropFolder: config.PATIENT_IMPORT_LOCAL_PATH,
  retention: { unpaid: config.RETENTION_UNPAID_DAYS, closed: config.RETENTION_CLOSED_DAYS },
  limits: config,
};

// The first calls are slow because they open connections and fetch tokens. That must not look like an outage.
await gatherFacts(deps, WARM_UP_MS);
export const checkHealth = createHandler(deps);
