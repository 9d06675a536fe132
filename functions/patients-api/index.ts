/** Entry point of patients-api: reads the environment and exports the application as a function. */
import type { HttpFunction } from '@google-cloud/functions-framework';
import { getRequestListener, RequestError } from '@hono/node-server';
import { createAuthentication } from '../../shared/platform/auth.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { endOnUncaughtErrors } from '../../shared/platform/crash.ts';
import { ServiceError } from '../../shared/platform/errors.ts';
import { createLog } from '../../shared/platform/log.ts';
import { bypassFramework, revealTarget } from '../../shared/platform/request-stream.ts';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { readOutsideMark } from '../../shared/registration/restore-fence.ts';
import { connectFirestore } from '../../shared/store/firestore.ts';
import { createPatientIds } from '../../shared/store/patient-ids.ts';
import { answerProblem } from './answer-problem.ts';
import { createApp } from './app.ts';
import { variableNames } from './config.ts';

const config = await readConfig(variableNames);
const db = connectFirestore(config);
const bucket = connectBucket(config);
const log = createLog({
  service: 'patients-api',
  project: config.GOOGLE_CLOUD_PROJECT,
  level: config.LOG_LEVEL,
});
endOnUncaughtErrors(log);
const app = createApp({
  db,
  bucket,
  allocatePatientId: createPatientIds(db, () => readOutsideMark(bucket)),
  clock: systemClock,
  log,
  authenticate: createAuthentication(config),
  keptDays: config,
  corsOrigins: config.CORS_ORIGINS,
  localPage: config.LOCAL_PAGE_URL,
  assets: new URL('assets/', import.meta.url),
});

// The application turns every error into a problem document.
bypassFramework();
const listener = getRequestListener(app.fetch, {
  // For requests that cannot be parsed, such as one with an invalid Host header.
  errorHandler: (error) =>
    answerProblem(error instanceof RequestError ? new ServiceError('request.malformed_url') : error, log),
});
export const patientsApi: HttpFunction = (request, response) => {
  revealTarget(request);
  return listener(request, response);
};
