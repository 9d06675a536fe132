/**
 * W3C trace context (https://www.w3.org/TR/trace-context/). It is read from a request, a file event or a Kafka header,
 * follows asynchronous calls, and is written into outbox entries, Kafka headers and log lines.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';

/** The trace that the current work belongs to. */
export interface TraceContext {
  /** 32 hexadecimal digits, the same in all processes of the trace. */
  readonly traceId: string;
  /** 16 hexadecimal digits that identify the step in this process. */
  readonly spanId: string;
  readonly sampled: boolean;
}

const active = new AsyncLocalStorage<TraceContext>();

/** Continues the trace of a `traceparent` header with a new span. Starts a new trace when it is missing or invalid. */
export function continueTrace(traceparent: string | undefined): TraceContext {
  const parts = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/.exec(traceparent ?? '');
  return {
    traceId: parts?.[1] ?? randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    sampled: (Number.parseInt(parts?.[2] ?? '01', 16) & 1) === 1,
  };
}

/** Runs `work`, and all that it calls asynchronously, within this trace. */
export function withTrace<T>(context: TraceContext, work: () => T): T {
  return active.run(context, work);
}

/** The trace of the running work; undefined outside of {@link withTrace}. */
export function currentTrace(): TraceContext | undefined {
  return active.getStore();
}

/** Returns a function that runs work within the trace of this moment, for work that several traces do together. */
export function inTraceOfNow(): <T>(work: () => T) => T {
  return AsyncLocalStorage.snapshot();
}

/** Formats the context as a `traceparent` header. */
export function traceparentOf(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-${context.sampled ? '01' : '00'}`;
}
