/**
 * Runs in the image's build: starts the function, calls Firestore and Cloud Storage, and exits with Node's compile cache
 * written, so that neither the start nor the first request compiles. Node, user and path must be the same as at run time.
 */
import { request } from 'node:http';
import { exit } from 'node:process';
import { connectBucket } from '../shared/registration/bucket.ts';
import { readOutsideMark } from '../shared/registration/restore-fence.ts';
import type { PatientId } from '../shared/patient/schema.ts';
import { connectFirestore } from '../shared/store/firestore.ts';
import { readPatient } from '../shared/store/patients.ts';
import { invented } from './local/invented.ts';

/** Variables with which every function starts. Nothing listens at these addresses. */
const environment = {
  ...invented,
  GOOGLE_CLOUD_PROJECT: 'warm-up',
  GCS_IMPORT_BUCKET: 'warm-up',
  FIRESTORE_EMULATOR_HOST: '127.0.0.1:1',
  STORAGE_EMULATOR_HOST: 'http://127.0.0.1:1',
  COMMUNICATION_SERVICE_URL: 'http://127.0.0.1:1',
  METADATA_SERVER_DETECTION: 'none',
  LOG_LEVEL: 'error',
  PORT: '8080',
};
Object.assign(process.env, { ...environment, ...process.env });
setTimeout(() => exit(1), 60_000);

// The calls fail. By then their code has run.
readPatient(connectFirestore(environment), 1 as PatientId).catch(() => {});
readOutsideMark(connectBucket(environment)).catch(() => {});
await import(new URL('main.js', import.meta.url).href);
ask();

function ask(): void {
  const port = process.env['PORT'];
  const asked = request({ host: '127.0.0.1', port, path: '/livez' });
  // The answer may need a service that is missing in the build, so a connection is enough. The calls above get time, too.
  asked.on('socket', (socket) => socket.on('connect', () => setTimeout(() => exit(0), 2_000)));
  asked.on('error', () => setTimeout(ask, 50)).end();
}
