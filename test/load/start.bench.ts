/**
 * Process start → first answer of the functions as the image starts them (infra/Dockerfile): the bundle under functions-framework in
 * production mode, with the compile cache that the image's build makes, against a hello-world under the same framework.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bundle, deployables } from '../../infra/bundle.ts';
import { invented } from '../../infra/local/invented.ts';
import { freePort, HOST } from '../../infra/local/ports.ts';
import { launch } from '../../infra/local/process.ts';
import { startIssuer } from '../support/api.ts';
import { percentile, type Bench, type Row } from './rows.ts';

const LOCAL = join(import.meta.dirname, '../../.local');
const STARTS = 9;
const NAMES = ['patients-api', 'import-registration'] as const;

const FRAMEWORK = join(
  import.meta.dirname,
  '../../node_modules/@google-cloud/functions-framework/build/src/main.js',
);

interface Form {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export const bench: Bench = async (progress) => {
  const dist = await mkdtemp(join(LOCAL, 'start-'));
  const issuer = await startIssuer();
  try {
    const forms: Record<string, Form> = {
      'hello-world': {
        folder: join(import.meta.dirname, 'functions'),
        environment: { FUNCTION_TARGET: 'hello', FUNCTION_SOURCE: 'hello.js' },
      },
    };
    for (const name of NAMES) {
      progress(`building ${name}`);
      forms[name] = await asInTheImage(name, dist, issuer.environment);
    }
    const times: Record<string, number[]> = {};
    for (let round = 1; round <= STARTS; round += 1) {
      progress(`start ${round} of ${STARTS}`);
      for (const [name, form] of Object.entries(forms)) (times[name] ??= []).push(await start(form, dist));
    }
    const hello = percentile(times['hello-world'] ?? [], 0.5);
    return NAMES.map((name): Row => {
      const value = percentile(times[name] ?? [], 0.5);
      const goal = '≤ 100 ms more than hello-world';
      return {
        name: `${name}: start → first answer, against hello-world`,
        value,
        unit: 'ms',
        bare: hello,
        goal,
      };
    });
  } finally {
    await rm(dist, { recursive: true, force: true });
  }
};

async function asInTheImage(
  name: (typeof NAMES)[number],
  dist: string,
  environment: Readonly<Record<string, string>>,
): Promise<Form> {
  await bundle(name, dist);
  const folder = join(dist, name);
  const form = {
    folder,
    environment: {
      ...invented,
      ...environment,
      GOOGLE_CLOUD_PROJECT: 'start',
      GCS_IMPORT_BUCKET: 'start',
      COMMUNICATION_SERVICE_URL: `http://${HOST}:9`,
      LOG_LEVEL: 'error',
      FUNCTION_TARGET: deployables[name],
      NODE_COMPILE_CACHE: join(dist, 'compile-cache', name),
    },
  };
  const env = { ...process.env, NODE_ENV: 'production', ...form.environment, PORT: String(await freePort()) };
  await promisify(execFile)(process.execPath, ['warm.js'], { cwd: folder, env });
  return form;
}

/** @returns milliseconds until any answer: the import function answers a GET with 4xx */
async function start({ folder, environment }: Form, dist: string): Promise<number> {
  const port = await freePort();
  const started = performance.now();
  const running = launch({
    command: process.execPath,
    args: [FRAMEWORK],
    cwd: folder,
    env: { ...process.env, NODE_ENV: 'production', ...environment, PORT: String(port) },
    logFile: join(dist, 'start.log'),
  });
  while (!(await answers(port))) {
    if (performance.now() - started > 60_000)
      throw new Error('the function has not answered within a minute');
  }
  const took = performance.now() - started;
  await running.kill();
  return took;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: HOST, port, path: '/livez', agent: false }, (answer) => {
      answer.resume();
      resolve(true);
    });
    asked.on('error', () => setTimeout(() => resolve(false), 3)).end();
  });
}
