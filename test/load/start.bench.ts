/**
 * Process start → first answer of the functions as the image starts them (infra/Dockerfile): the bundle in production mode, with
 * the compile cache that the image's build makes, against a hello-world under functions-framework as npm installs it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { freePort, HOST } from '../../infra/local/ports.ts';
import { launch } from '../../infra/local/process.ts';
import { startIssuer } from '../support/api.ts';
import { asInTheImage, FRAMEWORK, type Form } from './image.ts';
import { percentile, type Bench, type Row } from './rows.ts';

const LOCAL = join(import.meta.dirname, '../../.local');
const STARTS = 9;
const NAMES = ['patients-api', 'import-registration'] as const;

export const bench: Bench = async (progress) => {
  const dist = await mkdtemp(join(LOCAL, 'start-'));
  const issuer = await startIssuer();
  try {
    const forms: Record<string, Form> = {
      'hello-world': {
        args: [FRAMEWORK],
        folder: join(import.meta.dirname, 'functions'),
        environment: {
          ...process.env,
          NODE_ENV: 'production',
          FUNCTION_TARGET: 'hello',
          FUNCTION_SOURCE: 'hello.js',
        },
      },
    };
    for (const name of NAMES) {
      progress(`building ${name}`);
      forms[name] = await asInTheImage(name, dist, { ...issuer.environment, LOG_LEVEL: 'error' });
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

/** @returns milliseconds until any answer: the import function answers a GET with 4xx */
async function start({ args, folder, environment }: Form, dist: string): Promise<number> {
  const port = await freePort();
  const started = performance.now();
  const running = launch({
    command: process.execPath,
    args,
    cwd: folder,
    env: { ...environment, PORT: String(port) },
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
