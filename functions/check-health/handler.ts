/**
 * The routes of check-health: GET /health and /health/import for monitoring, POST /run for Cloud Scheduler. Both health
 * paths return the same report, because every check concerns the way of a registration file to its end.
 */
import type { HttpFunction, Request, Response } from '@google-cloud/functions-framework';
import { ServiceError } from '../../shared/platform/errors.ts';
import { errorFields } from '../../shared/platform/log.ts';
import { problemOf } from '../../shared/platform/problem-details.ts';
import { readJson } from '../../shared/platform/request-json.ts';
import { bypassFramework, revealTarget } from '../../shared/platform/request-stream.ts';
import { continueTrace, withTrace } from '../../shared/platform/trace.ts';
import { gatherFacts } from './facts.ts';
import { runScheduled, type HealthDependencies } from './run.ts';
import { judge } from './verdict.ts';

/** Time limit of each query of a report. All queries run concurrently. */
const ANSWER_WITHIN_MS = 1000;

type Answer = (
  deps: HealthDependencies,
  withinMs: number,
) => Promise<{ readonly status: number; readonly body: object }>;

const routes: Readonly<Record<string, { readonly methods: readonly string[]; readonly answer: Answer }>> = {
  '/health': { methods: ['GET', 'HEAD'], answer: answerHealth },
  '/health/import': { methods: ['GET', 'HEAD'], answer: answerHealth },
  '/run': { methods: ['POST'], answer: answerRun },
};

/** @param answerWithinMs time limit of each query of a report, in milliseconds */
export function createHandler(deps: HealthDependencies, answerWithinMs = ANSWER_WITHIN_MS): HttpFunction {
  bypassFramework();
  return (request, response) =>
    withTrace(continueTrace(request.get('traceparent')), async () => {
      revealTarget(request);
      try {
        await dispatch(deps, answerWithinMs, request, response);
      } catch (error) {
        if (!(error instanceof ServiceError)) deps.log.error('Request failed', errorFields(error));
        const { details, headers } = problemOf(error);
        response.status(details.status).set(headers).send(JSON.stringify(details));
      }
    });
}

async function dispatch(
  deps: HealthDependencies,
  withinMs: number,
  request: Request,
  response: Response,
): Promise<void> {
  const path = pathOf(request);
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined) throw new ServiceError('request.not_found');
  response.set('cache-control', 'no-store');
  if (!route.methods.includes(request.method)) {
    response.set('allow', route.methods.join(', '));
    throw new ServiceError('request.method_not_allowed');
  }
  // No route needs a body. Read one within the limits anyway, or it would keep the connection busy.
  await readJson(request);
  const { status, body } = await route.answer(deps, withinMs);
  response.status(status).json(body);
}

/** Empty when the target is no URL, such as `http://[::1/`, on which Express's own `path` throws. */
function pathOf({ url }: Request): string {
  return URL.parse(url, 'http://localhost')?.pathname ?? '';
}

async function answerHealth(deps: HealthDependencies, withinMs: number) {
  const report = judge(await gatherFacts(deps, withinMs), deps.limits);
  return { status: report.status === 'unhealthy' ? 503 : 200, body: report };
}

/** On an error status Cloud Scheduler reports the run as failed, which triggers an alert. */
async function answerRun(deps: HealthDependencies) {
  const report = await runScheduled(deps);
  if (report === undefined) return { status: 200, body: { skipped: 'another run is in progress' } };
  return { status: report.failed_steps.length > 0 ? 503 : 200, body: report };
}
