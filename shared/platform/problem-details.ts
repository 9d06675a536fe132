/**
 * Errors as HTTP callers see them: RFC 9457 problem documents made from the table in errors.ts. Any other error becomes
 * `internal` and reveals nothing about its cause.
 */
import { fateOf, ServiceError, type ErrorCode, type Violation } from './errors.ts';

/** Media type of a problem document (RFC 9457, 3). */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** The body of a problem response. */
export interface ProblemDetails {
  /** Identifies the kind of problem; ends in the error's code. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** Equal to `title`. Callers of the previous service read this key. */
  readonly message: string;
  readonly errors: readonly Violation[];
}

/** A complete problem response: body and headers. The status is in `details`. */
export interface Problem {
  readonly code: ErrorCode;
  readonly details: ProblemDetails;
  readonly headers: Readonly<Record<string, string>>;
}

/** The URN that identifies the kind of problem, such as `urn:patient-service:problem:patient.not_found`. */
export function problemTypeOf(code: ErrorCode): string {
  return `urn:patient-service:problem:${code}`;
}

/** Turns any thrown value into a problem response. */
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
      // The rest of the body may still arrive and would be read as the next request (RFC 9110, 15.5.9).
      ...(status === 408 ? { connection: 'close' } : {}),
      ...(status === 503 ? { 'retry-after': '1' } : {}),
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    },
  };
}
