/**
 * Process start → first answer of the functions as the image starts them (infra/Dockerfile): the bundle in production mode, with
 * the compile cache that the image's build makes, against a hello-world under functions-framework as npm installs it. And process
 * start → first list read from Firestore, against a function with Firestore's client and nothing else.
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
const PROJECT = 'start';
const NAMES = ['patients-api', 'import-registration'] as const;

/** A request, which is sent as soon as the function listens. */
interface Asked {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The status that counts as the answer; undefined: any. */
  readonly status?: number;
}

const ANY_ANSWER: Asked = { path: '/livez' };

export const bench: Bench = async (progress) => {
  const dist = await mkdtemp(join(LOCAL, 'start-'));
  const issuer = await startIssuer();
  const authorization = `Bearer ${issuer.tokens.reader}`;
  try {
    const forms: Record<string, Form> = {
      'hello-world': unbundled('hello', 'hello.js'),
      bare: unbundled('bare', 'bare.ts'),
    };
    for (const name of NAMES) {
      progress(`building ${name}`);
      forms[name] = await asInTheImage(name, dist, {
        ...issuer.environment,
        GOOGLE_CLOUD_PROJECT: PROJECT,
        LOG_LEVEL: 'error',
      });
    }
    const times: Record<string, number[]> = {};
    for (let round = 1; round <= STARTS; round += 1) {
      progress(`start ${round} of ${STARTS}`);
      for (const name of ['hello-world', ...NAMES])
        (times[name] ??= []).push(await start(forms[name], ANY_ANSWER, dist));
      const list = { path: '/api/patients?limit=1', headers: { authorization }, status: 200 };
      (times['list'] ??= []).push(await start(forms['patients-api'], list, dist));
      (times['bare list'] ??= []).push(await start(forms['bare'], { path: '/list', status: 200 }, dist));
    }
    const median = (name: string) => percentile(times[name] ?? [], 0.5);
    return [
      ...NAMES.map((name): Row => ({
        name: `${name}: start → first answer, against hello-world`,
        value: median(name),
        unit: 'ms',
        bare: median('hello-world'),
        goal: '≤ 100 ms more than hello-world',
      })),
      {
        name: 'patients-api: start → first list from Firestore, against the client alone',
        value: median('list'),
        unit: 'ms',
        bare: median('bare list'),
      },
    ];
  } finally {
    await rm(dist, { recursive: true, force: true });
  }
};

/** A function of this folder under functions-framework as npm installs it. */
function unbundled(target: string, source: string): Form {
  return {
    args: [FRAMEWORK],
    folder: join(import.meta.dirname, 'functions'),
    environment: {
      ...process.env,
      NODE_ENV: 'production',
      GOOGLE_CLOUD_PROJECT: PROJECT,
      FUNCTION_TARGET: target,
      FUNCTION_SOURCE: source,
    },
  };
}

/** @returns milliseconds until the answer. The import function answers a GET with 4xx. */
async function start(form: Form | undefined, asked: Asked, dist: string): Promise<number> {
  if (form === undefined) throw new Error('the function is not built');
  const { args, folder, environment } = form;
  const port = await freePort();
  const started = performance.now();
  const running = launch({
    command: process.execPath,
    args,
    cwd: folder,
    env: { ...environment, PORT: String(port) },
    logFile: join(dist, 'start.log'),
  });
  while (!(await answers(port, asked))) {
    if (performance.now() - started > 60_000)
      throw new Error('the function has not answered within a minute');
  }
  const took = performance.now() - started;
  await running.kill();
  return took;
}

function answers(port: number, { path, headers = {}, status }: Asked): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: HOST, port, path, headers, agent: false }, (answer) => {
      answer.resume();
      resolve(status === undefined || answer.statusCode === status);
    });
    asked.on('error', () => setTimeout(() => resolve(false), 3)).end();
  });
}
