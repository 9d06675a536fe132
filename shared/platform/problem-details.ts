/**
 * Errors as HTTP callers see them: RFC 9457 problem documents made from the table in errors.ts. What is not
 * a ServiceError is `internal` and says nothing of its cause.
 */
import { fateOf, ServiceError, type ErrorCode, type Violation } from './errors.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export interface ProblemDetails {
  /** Identifies the kind of problem; ends in the error's code. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** The same sentence once more, where callers of the older service look for it. */
  readonly message: string;
  readonly errors: readonly Violation[];
}

export interface Problem {
  readonly code: ErrorCode;
  readonly details: ProblemDetails;
  readonly headers: Readonly<Record<string, string>>;
}

export function problemTypeOf(code: ErrorCode): string {
  return `urn:patient-service:problem:${code}`;
}

export function problemOf(error: unknown): Problem {
  const code = error instanceof ServiceError ? error.code : 'internal';
  const { title, status } = fateOf(code);
  return {
    code,
    details: {
      type: problemTypeOf(code),
      title,
      status,
      message: title,
      errors: error instanceof ServiceError ? error.violations : [],
    },
    headers: {
      'content-type': PROBLEM_MEDIA_TYPE,
      // The rest of the body may still come, and would be taken for the next request (RFC 9110, 15.5.9).
      ...(status === 408 ? { connection: 'close' } : {}),
      ...(status === 503 ? { 'retry-after': '1' } : {}),
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    },
  };
}
