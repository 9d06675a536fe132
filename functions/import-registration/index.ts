/**
 * The import trigger: a finalized object in the bucket becomes a patient. It answers 2xx when the event is done
 * with, an error when Eventarc shall deliver it again.
 */
import { cloudEvent, type CloudEvent } from '@google-cloud/functions-framework';
import { systemClock } from '../../shared/platform/clock.ts';
import { readConfig } from '../../shared/platform/config.ts';
import { isServiceError } from '../../shared/platform/errors.ts';
import { createLog, errorFields } from '../../shared/platform/log.ts';
import { measure } from '../../shared/platform/metrics.ts';
import { continueTrace, withTrace } from '../../shared/platform/trace.ts';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { importObject, type ImportDependencies } from '../../shared/registration/import-object.ts';
import { connectFirestore } from '../../shared/store/firestore.ts';
import { createPatientIds } from '../../shared/store/patient-ids.ts';
import { variableNames } from './config.ts';
import { finalizedObject } from './storage-event.ts';

const config = await readConfig(variableNames);
const log = createLog({
  service: 'import-registration',
  project: config.GOOGLE_CLOUD_PROJECT,
  level: config.LOG_LEVEL,
});
const db = connectFirestore(config);
const deps: ImportDependencies = {
  db,
  bucket: connectBucket(config),
  allocatePatientId: createPatientIds(db),
  clock: systemClock,
  log,
  mail: config,
  signature: { key: config.REGISTRATION_HMAC_KEY, environment: config.ENVIRONMENT },
};

cloudEvent('importRegistration', async (event: CloudEvent<unknown>) => {
  await withTrace(continueTrace(event['traceparent'] as string | undefined), async () => {
    const object = finalizedObject(event.data);
    if (object === undefined || object.bucket !== config.GCS_IMPORT_BUCKET) {
      log.warn('not an event of the import bucket', { event_id: event.id });
      return;
    }
    try {
      await importObject(deps, object);
    } catch (error) {
      const fields = errorFields(error);
      log.error('import failed, the event will be delivered again', fields);
      measure(log, 'errors', { error_code: isServiceError(error) ? error.code : 'internal' });
      // Without the cause: functions-framework prints what it is given, and a library's message may hold an object name.
      // oxlint-disable-next-line preserve-caught-error
      throw new Error(`import failed: ${fields.error_code ?? 'internal'}`);
    }
  });
});
