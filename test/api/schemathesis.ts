/**
 * Sends requests that are generated from the contract to the served API (`npm run test:contract`). No response may be 5xx,
 * and every response must match its schema. Uses schemathesis from PyPI in a virtual environment below .local/. If it
 * cannot be installed, this says so and passes. Arguments are passed on to schemathesis.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startFirestore } from '../../infra/local/engines/firestore.ts';
import { startStorage } from '../../infra/local/engines/storage.ts';
import { freePort } from '../../infra/local/ports.ts';
import { startIssuer } from '../support/api.ts';
import { pythonWith } from '../support/python.ts';
import { buildApi } from '../support/served-api.ts';

const VERSION = '4.32.5';
const LOCAL = join(import.meta.dirname, '../../.local');
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
  'ignored_auth',
].join(',');

async function run(command: string): Promise<number> {
  const dir = await mkdtemp(join(LOCAL, 'schemathesis-run-'));
  const place = async (name: string) => ({
    port: await freePort(),
    dataDir: join(dir, name),
    logFile: join(dir, `${name}.log`),
  });
  const firestore = await startFirestore(await place('firestore'));
  const storage = await startStorage(await place('storage'));
  const build = await buildApi();
  try {
    const issuer = await startIssuer();
    const name = `contract-${randomUUID().slice(0, 8)}`;
    const api = await build.start({
      GOOGLE_CLOUD_PROJECT: name,
      GCS_IMPORT_BUCKET: name,
      FIRESTORE_EMULATOR_HOST: firestore.address,
      STORAGE_EMULATOR_HOST: storage.address,
      METADATA_SERVER_DETECTION: 'none',
      LOG_LEVEL: 'error',
      ...issuer.environment,
    });
    try {
      return await schemathesis(command, api.url, issuer.tokens.admin);
    } finally {
      await api.stop();
    }
  } finally {
    await Promise.all([firestore.stop(), storage.stop(), build.remove()]);
    await rm(dir, { recursive: true, force: true });
  }
}

/** Asynchronous, because the token issuer in this process must keep responding. */
function schemathesis(command: string, url: string, token: string): Promise<number> {
  const options = `--checks ${CHECKS} --max-examples 15 --seed 1 --request-timeout 30 --generation-database none --no-color`;
  const args = ['run', `${url}/openapi.json`, '--header', `Authorization: Bearer ${token}`];
  const given = process.argv.slice(2);
  const child = spawn(command, [...args, ...options.split(' '), ...given], { cwd: LOCAL, stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const installed = pythonWith([`schemathesis==${VERSION}`]);
if ('missing' in installed) {
  console.warn(`\n  SKIPPED: the contract run, because ${installed.missing}.\n`);
} else {
  process.exitCode = await run(join(installed.bin, 'schemathesis'));
}
