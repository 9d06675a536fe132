/**
 * Entry of the Cloud Run services ops-read (`serve.js --read-only`) and ops-write (`serve.js`). The option decides which
 * commands the code refuses; the service account limits what the process can do at all.
 */
import { readConfig } from '../../shared/platform/config.ts';
import { createLog } from '../../shared/platform/log.ts';
import { Interrupted } from './interruption.ts';
import { createOpsService, readOnly } from './service.ts';

const config = await readConfig(['GOOGLE_CLOUD_PROJECT', 'PORT']);
const isReadOnly = process.argv.includes('--read-only');
const stop = new AbortController();
const server = createOpsService({
  signal: stop.signal,
  environment: process.env,
  mayRun: isReadOnly ? readOnly : () => true,
  log: createLog({ service: isReadOnly ? 'ops-read' : 'ops-write', project: config.GOOGLE_CLOUD_PROJECT }),
});
// Node ends a request after five minutes by default; `republish --all` takes longer. Cloud Run ends it after an hour.
server.requestTimeout = 0;
server.listen(config.PORT);
process.once('SIGTERM', () => {
  stop.abort(new Interrupted());
  server.close(() => process.exit(0));
});
