/**
 * The operators' command over HTTP, as it runs in production: `POST /` with the command line as form fields
 * (`arg=dlq&arg=list`), answered with the command's output. Cloud Run's IAM decides who may call; a caller can run the
 * commands below and nothing else, so the service account cannot be used for anything else.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { decodeJwt } from 'jose';
import type { Log } from '../../shared/platform/log.ts';
import type { Environment } from './context.ts';
import { runOps, type MayRun } from './program.ts';

/** Commands that change nothing. A command that is not listed here counts as a changing one. */
const reading: ReadonlySet<string> = new Set([
  'batch list',
  'batch show',
  'dlq list',
  'dlq show',
  'import list',
  'import show',
  'import waiting',
  'lag',
  'outbox status',
  'retention preview',
  'verify',
]);

/** Allowed without `--value` only: a message's key and value may hold personal data. */
export const readOnly: MayRun = (command, options) => reading.has(command) && options['value'] !== true;

const MAX_BODY_BYTES = 64 * 1024;

interface Settings {
  readonly environment: Environment;
  readonly mayRun: MayRun;
  readonly log: Log;
  /** Aborted when the instance shuts down: a long command ends after its current step and says how to continue. */
  readonly signal?: AbortSignal;
}

/** An HTTP server that is not listening yet. */
export function createOpsService(settings: Settings): Server {
  return createServer((request, response) => {
    // A caller who disconnects does not end the command: it runs to its end.
    response.on('error', () => undefined);
    answer(request, response, settings).catch((error: unknown) => {
      settings.log.error('An operator request failed', { error_class: (error as Error).name });
      if (response.headersSent) response.end();
      else end(response, 500, 'Something went wrong; see the log.');
    });
  });
}

async function answer(request: IncomingMessage, response: ServerResponse, settings: Settings): Promise<void> {
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST');
    end(response, 405, 'POST the command line as form fields: arg=dlq&arg=list');
    return;
  }
  const body = await readBody(request);
  if (body === undefined) {
    end(response, 413, `A command line has at most ${MAX_BODY_BYTES} bytes.`);
    return;
  }
  const args = new URLSearchParams(body).getAll('arg');
  if (args.length === 0) {
    end(response, 400, 'No command. POST the command line as form fields: arg=dlq&arg=list');
    return;
  }
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.setHeader('cache-control', 'no-store');
  const started = performance.now();
  let route = 'help';
  const mayRun: MayRun = (command, options) => {
    route = command;
    const permitted = settings.mayRun(command, options);
    if (!permitted) response.statusCode = 403;
    return permitted;
  };
  const streams = { out: response, err: response };
  const operator = callerOf(request);
  const { environment, log, signal } = settings;
  const code = await runOps(args, environment, streams, {
    mayRun,
    operator,
    log,
    ...(signal === undefined ? {} : { signal }),
  });
  // Arguments are not logged: an operator can type anything, including personal data.
  log.record('audit', {
    actor: operator,
    role: 'operator',
    method: 'ops',
    route,
    status: code,
    duration_ms: Math.round(performance.now() - started),
  });
  response.end(code === 0 ? '' : `exit code ${code}\n`);
}

/** @returns undefined when the body is too long */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Subject of the identity token. Cloud Run has checked the token and passes it on without its signature. */
function callerOf(request: IncomingMessage): string {
  try {
    return decodeJwt((request.headers.authorization ?? '').replace(/^bearer /i, '')).sub ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

function end(response: ServerResponse, status: number, sentence: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
  response.end(`${sentence}\n`);
}
