/** Entry point of import-registration: reads the environment and exports the handler as a function. */
import { systemClock } from '../../shared/platform/system-clock.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { endOnUncaughtErrors } from '../../shared/platform/crash.ts';
import { createLog } from '../../shared/platform/log.ts';
import { connectBucket } from '../../shared/registration/bucket.ts';
import type { ImportDependencies } from '../../shared/registration/import-object.ts';
import { readOutsideMark } from '../../shared/registration/restore-fence.ts';
import { connectFirestore } from '../../shared/store/firestore.ts';
import { createPatientIds } from '../../shared/store/patient-ids.ts';
import { variableNames } from './config.ts';
import { createHandler } from './handler.ts';

const config = await readConfig(variableNames);
const log = createLog({
  service: 'import-registration',
  project: config.GOOGLE_CLOUD_PROJECT,
  level: config.LOG_LEVEL,
});
endOnUncaughtErrors(log);
const db = connectFirestore(config);
const bucket = connectBucket(config);
const deps: ImportDependencies = {
  db,
  bucket,
  allocatePatientId: createPatientIds(db, () => readOutsideMark(bucket)),
  clock: systemClock,
  log,
  mail: config,
  signature: { key: config.REGISTRATION_HMAC_KEY, environment: config.ENVIRONMENT },
};

export const importRegistration = createHandler(deps);
