/** One attempt to hand a mail to the communication service. When to try again is the mailer's decision. */
import { ServiceError } from '../../../shared/platform/errors.ts';
import { currentTrace, traceparentOf } from '../../../shared/platform/trace.ts';
import type { Mail } from '../../../shared/patient/consequences.ts';

export interface MailAnswer {
  /** The HTTP status; undefined when there was no answer. */
  readonly status?: number;
  /** Undefined when the mail was accepted; else `communication.unavailable` or `communication.refused`. */
  readonly error?: ServiceError;
}

const TIMEOUT_MS = 10_000;
/** The only client errors that say "later" (RFC 9110, RFC 8470, RFC 6585). */
const LATER: ReadonlySet<number> = new Set([408, 425, 429]);

export async function postMail(baseUrl: string, { path, body, idempotencyKey }: Mail): Promise<MailAnswer> {
  const trace = currentTrace();
  try {
    const response = await fetch(baseUrl + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': idempotencyKey,
        ...(trace === undefined ? {} : { traceparent: traceparentOf(trace) }),
      },
      body: JSON.stringify(body),
      // Send the mail to the configured service only, never to where it redirects.
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    const { status, ok } = response;
    if (ok) return { status };
    const refused = status >= 400 && status < 500 && !LATER.has(status);
    return {
      status,
      error: new ServiceError(refused ? 'communication.refused' : 'communication.unavailable'),
    };
  } catch (error) {
    return { error: new ServiceError('communication.unavailable', { cause: error }) };
  }
}
