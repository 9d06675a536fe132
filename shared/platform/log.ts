/**
 * Structured logs in Cloud Logging's format, one JSON object a line on stdout
 * (https://cloud.google.com/logging/docs/structured-logging). Only the fields below can be logged, and none
 * of them can hold personal data (docs/domain.md#personal-data): ids, counts and codes.
 */
import pino from 'pino';
import { ServiceError, type ErrorCode } from './errors.ts';
import type { Impersonal } from './personal.ts';
import { currentTrace } from './trace.ts';

/** Everything a log line may say. A new field is a decision about privacy, so it is made here. */
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
  /** Metric lines only, see metrics.ts. */
  readonly metric?: string;
  readonly value?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

type Checked<F> = { [K in keyof F]: Impersonal<F[K]> };

export interface Log {
  debug<F extends LogFields>(message: string, fields?: Checked<F>): void;
  info<F extends LogFields>(message: string, fields?: Checked<F>): void;
  warn<F extends LogFields>(message: string, fields?: Checked<F>): void;
  error<F extends LogFields>(message: string, fields?: Checked<F>): void;
  /** A line that others count or keep, such as a metric or the audit trail: written at every level. */
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
 * A logger for one deployable.
 * @param project the Google Cloud project, which Cloud Logging wants in a trace's name
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
    // Synchronous: a line written before kill -9 is a line that was written.
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
 * What may be said of an error: code, class and stack frames. The message of a foreign error is left out,
 * since a client library may put a document, an object name or a request body into it.
 */
export function errorFields(error: unknown): LogFields {
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
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [known ? `${error.name} [${code}]` : error.name, ...frames].join('\n');
}
