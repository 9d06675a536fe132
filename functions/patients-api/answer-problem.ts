/** Turns an error of a handler into a problem document, and logs it if the status is 500 or more. */
import { errorFields, type Log } from '../../shared/platform/log.ts';
import { measure } from '../../shared/platform/metrics.ts';
import { problemOf } from '../../shared/platform/problem-details.ts';

export function answerProblem(error: unknown, log: Log, headers: Record<string, string> = {}): Response {
  const problem = problemOf(error);
  measure(log, 'errors', { error_code: problem.code });
  if (problem.details.status >= 500) log.error('Request failed', errorFields(error));
  return new Response(JSON.stringify(problem.details), {
    status: problem.details.status,
    headers: { ...problem.headers, ...headers },
  });
}
