/**
 * The HTTP API (DOMAIN 5) as a Hono application, which answers a Request without a socket. What it does for each
 * route is in routes/; which server it stands behind is index.ts's business.
 */
import { Hono, type MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';
import { timeout } from 'hono/timeout';
import { requireRole } from '../../shared/platform/auth.ts';
import { ServiceError } from '../../shared/platform/errors.ts';
import { answerProblem } from './answer-problem.ts';
import { observe } from './observe.ts';
import type { Call, Dependencies, Route } from './route.ts';
import { routes } from './routes/index.ts';

/** Before Cloud Run ends the request after 30 s, with an answer of its own (infra/functions.tf). */
const ANSWER_WITHIN_MS = 20_000;

export function createApp(deps: Dependencies): Hono<{ Variables: Call['var'] }> {
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
  app.use(refuseMalformedUrls);
  app.notFound(() => answerProblem(new ServiceError('request.not_found'), log));

  const timedOut = () => new HTTPException(503, { cause: new ServiceError('request.timed_out') });
  app.use('/api/*', timeout(ANSWER_WITHIN_MS, timedOut));
  app.use('/api/*', async (call, next) => {
    call.set('caller', await deps.authenticate(call.req.header('authorization')));
    await next();
  });
  for (const [path, methods] of Map.groupBy(routes, (route) => route.path)) {
    const pattern = path.replaceAll(/\{(\w+)\}/g, ':$1');
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

/** Whatever could not be decoded would be taken as it stands, and found nowhere. */
const refuseMalformedUrls: MiddlewareHandler = async (call, next) => {
  try {
    decodeURIComponent(call.req.url);
  } catch {
    throw new ServiceError('request.malformed_url');
  }
  await next();
};

async function answer(route: Route, call: Call, deps: Dependencies): Promise<Response> {
  call.set('route', `${route.method} ${route.path}`);
  if (route.role !== undefined) requireRole(call.get('caller'), route.role);
  return route.handle(call, deps);
}
