/**
 * Continues the caller's trace and writes one log line per request: its metrics, labelled by the route's pattern and never by
 * the path, and below /api its audit entry.
 */
import type { MiddlewareHandler } from 'hono';
import type { Log } from '../../shared/platform/log.ts';
import { measured } from '../../shared/platform/metrics.ts';
import { continueTrace, withTrace } from '../../shared/platform/trace.ts';
import type { Call } from './route.ts';

export function observe(log: Log): MiddlewareHandler {
  return (call: Call, next) =>
    withTrace(continueTrace(call.req.header('traceparent')), async () => {
      const started = performance.now();
      await next();
      const route = call.get('route') ?? 'unmatched';
      const status_class = `${Math.floor(call.res.status / 100)}xx`;
      const figures = { requests: 1, request_latency_ms: Math.round(performance.now() - started) };
      const audit = call.get('audit');
      log.record(audit === undefined ? 'Request answered' : 'audit', {
        ...audit,
        ...measured(figures, { route, status_class }),
      });
    });
}
