/**
 * Structured logs in Cloud Logging's format: one JSON object per line on stdout
 * (https://cloud.google.com/logging/docs/structured-logging). Only the fields below can be logged. They hold ids, counts
 * and codes, never personal data (docs/domain.md#personal-data).
 */
import pino from 'pino';
import { ServiceError, type ErrorCode } from './errors.ts';
import type { Impersonal } from './personal.ts';
import { inSources } from './sources.ts';
import { currentTrace } from './trace.ts';

/** All fields of a log line. They are listed in one place because every new field is a decision about privacy. */
export interface LogFields {
  readonly patient_id?: number;
  readonly therapist_id?: number;
  readonly event_id?: string;
  readonly event_type?: string;
  readonly sequence?: number;
  readonly record_id?: string;
  readonly generation?: string;
  readonly outcome?: string;
  readonly reason?: string;
  readonly topic?: string;
  readonly group?: string;
  readonly partition?: number;
  readonly offset?: string;
  readonly shard?: number;
  readonly attempt?: number;
  readonly count?: number;
  readonly bytes?: number;
  readonly duration_ms?: number;
  readonly delay_ms?: number;
  readonly port?: number;
  readonly pid?: number;
  readonly url?: string;
  readonly signal?: string;
  readonly component?: string;
  readonly status?: number | string;
  readonly check?: string;
  readonly error_code?: ErrorCode;
  readonly error_class?: string;
  readonly stack_trace?: string;
  readonly method?: string;
  readonly route?: string;
  readonly audit_id?: string;
  readonly actor?: string;
  readonly via?: string;
  readonly role?: string;
  readonly patient_ids?: readonly number[];
  /** Names of fields, never their values. */
  readonly fields?: readonly string[];
  /** Values from which Cloud Logging makes metrics (metrics.ts). */
  readonly metrics?: Readonly<Record<string, number>>;
  readonly labels?: Readonly<Record<string, string>>;
}

type Checked<F> = { [K in keyof F]: Impersonal<F[K]> };

/** Writes log lines. A message is a sentence with a capital letter, no full stop and no values: they go into fields. */
export interface Log {
  debug<F extends LogFields>(message: string, fields?: Checked<F>): void;
  info<F extends LogFields>(message: string, fields?: Checked<F>): void;
  warn<F extends LogFields>(message: string, fields?: Checked<F>): void;
  error<F extends LogFields>(message: string, fields?: Checked<F>): void;
  /** Writes a line that other systems count or keep, such as a metric or an audit entry, whatever the log level. */
  record<F extends LogFields>(message: string, fields?: Checked<F>): void;
}

const severities: Record<string, string> = {
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
};

/**
 * Creates the logger of one deployable.
 * @param options.project the Google Cloud project; Cloud Logging needs it in the name of a trace
 */
export function createLog(options: {
  service: string;
  project: string;
  level?: 'debug' | 'info' | 'warn' | 'error';
  destination?: pino.DestinationStream;
}): Log {
  const logger = pino(
    {
      level: options.level ?? 'info',
      messageKey: 'message',
      base: { serviceContext: { service: options.service } },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ severity: severities[label] ?? 'DEFAULT' }) },
      mixin: () => traceFields(options.project),
    },
    // Synchronous, so that kill -9 cannot lose a line that was already logged.
    options.destination ?? pino.destination({ dest: 1, sync: true }),
  );
  const recorder = logger.child({}, { level: 'info' });
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: object) => {
    logger[level](fields ?? {}, message);
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    record: (message: string, fields?: object) => recorder.info(fields ?? {}, message),
  };
}

function traceFields(project: string): object {
  const trace = currentTrace();
  if (trace === undefined) return {};
  return {
    'logging.googleapis.com/trace': `projects/${project}/traces/${trace.traceId}`,
    'logging.googleapis.com/spanId': trace.spanId,
    'logging.googleapis.com/trace_sampled': trace.sampled,
  };
}

/**
 * A line of V8's stack traces that names a place: `at read (file:///srv/index.js:1:2)`, `at Array.map (<anonymous>)`,
 * `at async Promise.all (index 0)`.
 */
const FRAME = /^\s+at (?:.*[^\s(]:\d+:\d+\)?|.* \((?:<anonymous>|native|index \d+)\))$/;

/**
 * The loggable parts of an error: code, class and stack frames. The message of another library's error is left out,
 * because it may quote a document, an object name or a request body. Nothing when there is no error.
 */
export function errorFields(error: unknown): LogFields {
  if (error === undefined) return {};
  if (!(error instanceof Error)) return { error_class: typeof error };
  const ours = error instanceof ServiceError;
  const cause = ours && error.cause instanceof Error ? `\ncaused by ${headAndFrames(error.cause)}` : '';
  return {
    error_class: error.constructor.name,
    stack_trace: headAndFrames(error) + cause,
    ...(ours ? { error_code: error.code } : {}),
  };
}

function headAndFrames(error: Error): string {
  const code = (error as { code?: unknown }).code;
  const known = typeof code === 'number' || (typeof code === 'string' && /^[\w.]{1,40}$/.test(code));
  const frames = behindMessage(error)
    .split('\n')
    .filter((line) => FRAME.test(line))
    .map(inSources);
  return [known ? `${error.name} [${code}]` : error.name, ...frames].join('\n');
}

/** The stack trace without the message, a line of which may look like a frame: an object's name may hold line breaks. */
function behindMessage({ stack = '', message }: Error): string {
  const at = stack.indexOf(message);
  return at === -1 ? stack : stack.slice(at + message.length);
}
