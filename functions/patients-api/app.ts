/**
 * The HTTP API (docs/domain.md#http-api) as a Hono application, which needs no socket. The handlers are in routes/;
 * index.ts connects the application to a server.
 */
import { Hono, type MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';
import { timeout } from 'hono/timeout';
import { requireRole, ROLES } from '../../shared/platform/auth.ts';
import { ServiceError } from '../../shared/platform/errors.ts';
import { actingFor } from './actor.ts';
import { answerProblem } from './answer-problem.ts';
import { auditAnswers, noteSubjects } from './audit.ts';
import { observe } from './observe.ts';
import { findPatientId } from './parameters.ts';
import type { Call, Dependencies, Route } from './route.ts';
import { routes } from './routes/index.ts';

/** Time until the response starts. An export may then take as long as Cloud Run allows (infra/functions.tf). */
const ANSWER_WITHIN_MS = 20_000;

export function createApp(
  deps: Dependencies,
  table: readonly Route[] = routes,
): Hono<{ Variables: Call['var'] }> {
  const { log, corsOrigins } = deps;
  const app = new Hono<{ Variables: Call['var'] }>();
  app.use(observe(log));
  app.use(async (call, next) => {
    await next();
    const { headers } = call.res;
    headers.set('x-content-type-options', 'nosniff');
    if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
  });
  if (corsOrigins.length > 0) {
    app.use(cors({ origin: [...corsOrigins], exposeHeaders: ['etag', 'location', 'retry-after'] }));
  }
  app.onError((error) => answerProblem(error instanceof HTTPException ? error.cause : error, log));
  app.use('/api/*', auditAnswers());
  app.use(refuseMalformedUrls);
  app.notFound(() => answerProblem(new ServiceError('request.not_found'), log));

  const timedOut = () => new HTTPException(503, { cause: new ServiceError('request.timed_out') });
  const paths = [...Map.groupBy(table, (route) => route.path)].map(
    ([path, methods]) => [path, path.replaceAll(/\{(\w+)\}/g, ':$1'), methods] as const,
  );
  for (const [path, pattern, methods] of paths) app.use(pattern, nameRoute(path, methods));
  app.use('/api/*', timeout(ANSWER_WITHIN_MS, timedOut));
  app.use('/api/*', async (call, next) => {
    const caller = await deps.authenticate(call.req.header('authorization'));
    call.set('caller', caller);
    requireRole(caller, ROLES[0]);
    call.set('acting', actingFor(caller, call.req.header('x-actor')));
    await next();
  });
  for (const [, pattern, methods] of paths) {
    for (const route of methods) app.on(route.method, pattern, (call) => answer(route, call, deps));
    app.all(pattern, () => {
      const allow = methods
        .flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
        .join(', ');
      return answerProblem(new ServiceError('request.method_not_allowed'), log, { allow });
    });
  }
  return app;
}

/** Refuses URLs that cannot be decoded. Hono would use them undecoded and find nothing. */
const refuseMalformedUrls: MiddlewareHandler = async (call, next) => {
  try {
    decodeURIComponent(call.req.url);
  } catch {
    throw new ServiceError('request.malformed_url');
  }
  await next();
};

/** Records the route for the audit trail and the metrics, even if the request is refused before it gets there. */
function nameRoute(path: string, methods: readonly Route[]): MiddlewareHandler {
  return async (call: Call, next) => {
    if (call.get('route') === undefined) {
      const asked = call.req.method === 'HEAD' ? 'GET' : call.req.method;
      const route = methods.find(({ method }) => method === asked);
      call.set('route', route === undefined ? path : `${route.method} ${route.path}`);
      call.set('isImpersonal', route?.isImpersonal === true);
      const id = path.includes('{id}') ? findPatientId(call) : undefined;
      if (id !== undefined) noteSubjects(call, [id]);
    }
    await next();
  };
}

async function answer(route: Route, call: Call, deps: Dependencies): Promise<Response> {
  if (route.role === undefined) return route.handle(call, deps);
  requireRole(call.get('caller'), route.role);
  const response = await route.handle(call, deps);
  if (route.isImpersonal === undefined && call.get('subjects') === undefined) {
    throw new ServiceError('internal', {
      detail: 'The route does not say whose data its response contains.',
    });
  }
  return response;
}
