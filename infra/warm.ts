/**
 * Runs in the image's build: starts the function until it answers, and leaves with Node's compile cache written. What the image starts
 * later need not compile anything. It must be the same Node, the same user and the same path as then.
 */
import { request } from 'node:http';
import { exit } from 'node:process';
import { invented } from './local/invented.ts';

/** Lets every function start. Nothing listens at these addresses. */
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

await import(import.meta.resolve('@google-cloud/functions-framework').replace(/index\.js$/, 'main.js'));
ask();

function ask(): void {
  const port = process.env['PORT'];
  const asked = request({ host: '127.0.0.1', port, path: '/livez' }, () => exit(0));
  // An answer may need what is not there.
  asked.on('socket', (socket) => socket.on('connect', () => setTimeout(() => exit(0), 2_000)));
  asked.on('error', () => setTimeout(ask, 50)).end();
}
