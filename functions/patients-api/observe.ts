/** Continues the caller's trace and measures each request. Labels it by the route's pattern, never by the path. */
import type { MiddlewareHandler } from 'hono';
import type { Log } from '../../shared/platform/log.ts';
import { measure } from '../../shared/platform/metrics.ts';
import { continueTrace, withTrace } from '../../shared/platform/trace.ts';
import type { Call } from './route.ts';

export function observe(log: Log): MiddlewareHandler {
  return (call: Call, next) =>
    withTrace(continueTrace(call.req.header('traceparent')), async () => {
      const started = performance.now();
      await next();
      const route = call.get('route') ?? 'unmatched';
      const status_class = `${Math.floor(call.res.status / 100)}xx`;
      measure(log, 'requests', { route, status_class });
      measure(log, 'request_latency_ms', { route }, Math.round(performance.now() - started));
    });
}
