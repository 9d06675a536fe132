/**
 * W3C trace context (https://www.w3.org/TR/trace-context/): read from a request, a file event or a Kafka
 * header, carried through asynchronous calls, written into outbox entries, Kafka headers and log lines.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';

export interface TraceContext {
  /** 32 hexadecimal digits, the same along the whole way. */
  readonly traceId: string;
  /** 16 hexadecimal digits, this process's step of it. */
  readonly spanId: string;
  readonly sampled: boolean;
}

const active = new AsyncLocalStorage<TraceContext>();

/** A context continuing `traceparent` with a span of our own, or a new trace where there is none or a broken one. */
export function continueTrace(traceparent: string | undefined): TraceContext {
  const parts = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/.exec(traceparent ?? '');
  return {
    traceId: parts?.[1] ?? randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    sampled: (Number.parseInt(parts?.[2] ?? '01', 16) & 1) === 1,
  };
}

export function withTrace<T>(context: TraceContext, work: () => T): T {
  return active.run(context, work);
}

export function currentTrace(): TraceContext | undefined {
  return active.getStore();
}

export function traceparentOf(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-${context.sampled ? '01' : '00'}`;
}
